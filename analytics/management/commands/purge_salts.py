"""Delete short-lived rows: old salts, rate limit counts, idempotency answers."""

from typing import Any

from django.core.management.base import BaseCommand

from analytics import housekeeping


class Command(BaseCommand):
    help = (
        "Destroy salts of visitor ids whose day began 47 hours ago, and delete counts"
        " of rate limits of past minutes, answers stored for an Idempotency-Key older"
        " than 24 hours, entries of the audit trail older than AUDIT_DAYS, and"
        " sessions that ended."
        " A running service does this by itself every ten minutes."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        salts, windows, answers, entries, ended = housekeeping.tidy()
        self.stdout.write(
            f"Deleted {salts} salts, {windows} rate limit counts, {answers} stored"
            f" answers, {entries} entries of the audit trail and {ended} sessions."
        )
