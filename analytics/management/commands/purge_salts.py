"""Destroy what may not be kept: old salts, limits' counts, answers to replay."""

from typing import Any

from django.core.management.base import BaseCommand

from analytics import housekeeping


class Command(BaseCommand):
    help = (
        "Destroy the salts of visitor ids that are 47 hours old, the rate limits'"
        " counts of past minutes, and the answers kept for an Idempotency-Key that"
        " are 24 hours old. While the service runs, it does so itself every hour."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        salts, windows, answers = housekeeping.tidy()
        self.stdout.write(
            f"Destroyed {salts} salts, {windows} rate windows"
            f" and {answers} answers to replay."
        )
