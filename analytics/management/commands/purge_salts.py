"""Destroy what may not be kept: old salts, and who asked in past minutes."""

from typing import Any

from django.core.management.base import BaseCommand

from analytics import throttling, visitors


class Command(BaseCommand):
    help = (
        "Destroy the salts of visitor ids that are 48 hours old, and the rate"
        " limits' counts of past minutes. Run it every hour."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        salts = visitors.purge_salts()
        windows = throttling.purge()
        self.stdout.write(f"Destroyed {salts} salts and {windows} rate windows.")
