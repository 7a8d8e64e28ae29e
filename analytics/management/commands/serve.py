"""Serve the application with Granian, on HOST and PORT."""

import os
import socket
import sys
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from krafter import env

# They wait for the database most of the time, and those that write share one
# commit: more of them than processors pay.
THREADS = 16
# How long requests in progress get after SIGTERM.
DRAIN_SECONDS = 30


class Command(BaseCommand):
    help = (
        "Serve on HOST (127.0.0.1) and PORT (8000) with WORKERS (1) processes of"
        f" THREADS ({THREADS}) threads. SIGTERM ends it after the requests in progress."
    )
    requires_migrations_checks = True

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            host = env.text("HOST", "127.0.0.1")
            port = env.integer("PORT", 8000, minimum=1)
            workers = env.integer("WORKERS", 1, minimum=1)
            threads = env.integer("THREADS", THREADS, minimum=1)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        if port > 65_535:
            raise CommandError(f"PORT must be at most 65535, not {port}")
        address = _check_free(host, port)
        shown = f"[{address}]" if ":" in address else address
        self.stdout.write(f"Serving on http://{shown}:{port}, Ctrl-C ends it.")
        self.stdout.flush()
        # In place of this process, so that signals reach the server itself.
        os.execv(  # noqa: S606 - no shell is what is wanted
            sys.executable, _command(address, port, workers, threads)
        )


def _command(address: str, port: int, workers: int, threads: int) -> list[str]:
    return [
        *(sys.executable, "-m", "granian", "krafter.wsgi:application"),
        *("--interface", "wsgi", "--no-ws"),
        *("--host", address, "--port", str(port)),
        *("--workers", str(workers), "--blocking-threads", str(threads)),
        "--respawn-failed-workers",
        *("--workers-kill-timeout", str(DRAIN_SECONDS)),
        # Said on the command line, which wins over Granian's own variables: an
        # access log would hold addresses.
        "--no-access-log",
        # Below are remarks on each start, the number of threads among them.
        *("--log-level", "error"),
        *("--working-dir", str(settings.BASE_DIR)),
    ]


def _check_free(host: str, port: int) -> str:
    """The address to listen on, if this process may and nobody else does.

    Granian lets several servers share a port, so that a second one would start
    without a word and take half of the requests.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # As a server does: a connection that lingers keeps nobody out.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except OSError as error:
        raise CommandError(
            f"Cannot listen on {host} port {port}: {error.strerror}."
        ) from None
    return str(address[0])
