"""Delete short-lived rows: old salts, rate limit counts, idempotency answers."""

from typing import Any

from django.core.management.base import BaseCommand

from analytics import housekeeping


class Command(BaseCommand):
    help = (
        "Delete salts of visitor ids older than 47 hours, rate limit counts of past"
        " minutes, and answers stored for an Idempotency-Key older than 24 hours."
        " A running service does this by itself every hour."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        salts, windows, answers = housekeeping.tidy()
        self.stdout.write(
            f"Deleted {salts} salts, {windows} rate limit counts"
            f" and {answers} stored answers."
        )
