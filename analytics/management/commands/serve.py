"""Serve the application with Granian, on HOST and PORT."""

import os
import socket
import sys
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from krafter import env, installation


class Command(BaseCommand):
    help = (
        "Serve on HOST (127.0.0.1) and PORT (8000) with WORKERS (1) processes of"
        " THREADS (16) threads. SIGTERM ends it after the requests in progress, and"
        " SIGHUP puts new workers in the place of the old."
    )
    requires_migrations_checks = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check",
            action="store_true",
            help="only say whether the settings are right and the port is free",
        )

    def execute(self, *args: Any, **options: Any) -> Any:
        # `make run` runs the checks first, before any migration.
        self.requires_migrations_checks = not options["check"]
        return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            host = env.text("HOST", "127.0.0.1")
            port = env.integer("PORT", 8000, minimum=1, maximum=65_535)
            workers = env.integer("WORKERS", 1, minimum=1)
            # The workers read it too; here an error is shown as a message.
            env.integer("THREADS", settings.THREADS, minimum=1)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        address = _check_free(host, port)
        if options["check"]:
            return
        shown = f"[{address}]" if ":" in address else address
        self.stdout.write(f"Serving on http://{shown}:{port}, Ctrl-C ends it.")
        self.stdout.flush()
        # Replaces this process, so that signals reach the server itself.
        if installation.IS_CLONE:
            # Like manage.py, which has its folder on the path in any folder.
            paths = [str(installation.ROOT), os.environ.get("PYTHONPATH", "")]
            os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        os.execv(  # noqa: S606 - no shell is what is wanted
            sys.executable, _command(address, port, workers)
        )


def _command(address: str, port: int, workers: int) -> list[str]:
    # -P: a file in the current folder must not be imported instead of a module.
    server = (sys.executable, "-P", "-m", "krafter.server")
    return [*server, address, str(port), str(workers)]


def _check_free(host: str, port: int) -> str:
    """Return the address to listen on.

    Raises CommandError if this process may not listen there, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # Like servers: connections in TIME_WAIT do not block the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except OSError as error:
        raise CommandError(
            f"Cannot listen on {host} port {port} (HOST, PORT): {error.strerror}."
        ) from None
    return str(address[0])
