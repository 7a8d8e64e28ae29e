"""Remove a user's second factor, when both app and recovery codes are lost."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from analytics.people import members


class Command(BaseCommand):
    help = "Have a user sign in by password alone, and sign out all of their browsers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["username"]
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is no user {name!r}.")
        if not members.remove_second_factor(user):
            raise CommandError(f"{name} has no second factor.")
        self.stdout.write(f"{name} signs in by password alone now.")
