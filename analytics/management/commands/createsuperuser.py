"""Django's `createsuperuser`, recorded in the audit trail."""

from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.db.models import Max

from analytics.access import audit


class Command(createsuperuser.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        users: Any = self.UserModel._default_manager
        last = users.aggregate(Max("pk"))["pk__max"] or 0
        # Not in a transaction: while the command waits for input, SQLite would be
        # locked.
        super().handle(*args, **options)
        for user in users.filter(pk__gt=last, is_superuser=True):
            audit.record("user.created", user, changes={"is_superuser": [None, True]})
