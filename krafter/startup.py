"""What must be right before the service starts: one sentence says what is not.

    python -m krafter.startup

`krafter.server` runs it as a process of its own, before there are workers: a reload
reads the code anew, which the main process must therefore not hold. A worker that
comes later finds out for itself (`krafter.watch`), and answers 503 until all is well.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong

CONNECT_SECONDS = 5.0


def problem() -> str | None:
    """The first thing that is wrong."""
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
    # The others keep a service from working well, not from working.
    for name, sentence in (
        # A table that is missing is both.
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
    # Not by the usual way: a thread may still wait for a database that is frozen.
    os._exit(0 if found is None else 1)


if __name__ == "__main__":
    main()
