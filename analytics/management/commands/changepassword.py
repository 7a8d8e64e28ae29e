"""Django's `changepassword`, recorded in the audit trail."""

import getpass
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.management.commands import changepassword

from analytics.access import audit


class Command(changepassword.Command):
    def handle(self, *args: Any, **options: Any) -> str | None:
        said: str | None = super().handle(*args, **options)
        # The same default as in Django's own command.
        name = options["username"] or getpass.getuser()
        user = get_user_model()._default_manager.get_by_natural_key(name)
        audit.record_of_user("user.password_changed", user)
        return said
