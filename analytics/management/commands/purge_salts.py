"""Destroy what may not be kept: old salts, limits' counts, answers to replay."""

from typing import Any

from django.core.management.base import BaseCommand

from analytics import idempotency, throttling, visitors


class Command(BaseCommand):
    help = (
        "Destroy the salts of visitor ids that are 48 hours old, the rate limits'"
        " counts of past minutes, and the answers kept for an Idempotency-Key that"
        " are 24 hours old. Run it every hour."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        salts = visitors.purge_salts()
        windows = throttling.purge()
        answers = idempotency.purge()
        self.stdout.write(
            f"Destroyed {salts} salts, {windows} rate windows"
            f" and {answers} answers to replay."
        )
