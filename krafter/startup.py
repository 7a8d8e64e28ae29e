"""Checks before the service starts; prints the first problem in one sentence.

    python -m krafter.startup

`krafter.server` runs it as a separate process before it starts workers: the main
process must not import the code, because a reload imports it anew in the workers. A
worker that starts later checks for itself (`krafter.watch`), and answers 503 until the
database is available.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong

CONNECT_SECONDS = 5.0


def problem() -> str | None:
    """The first problem found, or None."""
    import django
    from django.core.exceptions import ImproperlyConfigured

    try:
        django.setup()
    except ImproperlyConfigured as error:
        return str(error)
    from django.core import checks

    from krafter import health

    for found in checks.run_checks():
        if found.is_serious():
            return found.msg
    thread = ThreadPoolExecutor(1)
    try:
        told = thread.submit(
            health.problems, connect_seconds=CONNECT_SECONDS - 1
        ).result(CONNECT_SECONDS)
    except TookTooLong:
        told = {"database": [f"No answer within {CONNECT_SECONDS:g} seconds"]}
    # The other checks of `health` do not prevent a start.
    for name, sentence in (
        # A missing table is reported by both: this order names the cause.
        ("migrations", "The database is not migrated, run manage.py migrate: "),
        ("database", "The database cannot be used: "),
    ):
        if name in told:
            return sentence + told[name][0]
    return None


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "krafter.settings")
    found = problem()
    if found is not None:
        sys.stderr.write(f"krafter: {found}\n")
        sys.stderr.flush()
    # Not sys.exit: it would wait for the thread, which a frozen database may block.
    os._exit(0 if found is None else 1)


if __name__ == "__main__":
    main()
