"""The server process: runs Granian.

    python -m krafter.server ADDRESS PORT WORKERS

The command `serve` starts it. It differs from Granian's own command in this:

- One listening socket is shared by all workers, so that connections waiting to be
  accepted survive the end of a worker and a reload (SIGHUP) refuses none.
- A worker that dies is always replaced, after a pause. Granian gives up.
- Workers end when this process is killed, so that none keeps the port.
"""

import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

# How long requests in progress get after SIGTERM.
DRAIN_SECONDS = 30
# Before a worker that died is started again.
_PAUSE_SECONDS = 1.0
_BACKLOG = 4_096
# Each connection needs a file descriptor. Others are for the database and files.
_MAX_CONNECTIONS = 10_000
_OTHER_FILES = 200
# The most that is buffered of a body or a head.
_BUFFER_BYTES = 64 * 1024


class _Server(MPServer):
    """Overrides methods that Granian's main loop calls."""

    def __init__(self, *, send_seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self._send_seconds = send_seconds

    def _init_shared_socket(self) -> None:
        family = socket.AF_INET6 if ":" in self.bind_addr else socket.AF_INET
        listener = socket.create_server(
            (self.bind_addr, self.bind_port), family=family, backlog=self.backlog
        )
        # Connections inherit both options. The second closes those whose client does
        # not acknowledge what is sent, which our code cannot detect.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(
                socket.IPPROTO_TCP,
                socket.TCP_USER_TIMEOUT,
                int(self._send_seconds * 1_000),
            )
        self._sso = listener
        self._sfd: Any = listener.fileno()
        # Granian's stubs lack its parameters.
        self._shd: Any = SocketHolder(self._sfd, False, self.backlog)  # type: ignore[call-arg]
        self._ssp = None

    def _respawn_workers(
        self,
        workers: Sequence[int],
        spawn_target: Callable[..., Any],
        target_loader: Callable[..., Any],
        delay: float = 0,
    ) -> None:
        if not delay:
            # They died. Without a pause, a worker that dies at once would be
            # restarted in a busy loop.
            time.sleep(_PAUSE_SECONDS)
        super()._respawn_workers(workers, spawn_target, target_loader, delay)
        # Otherwise Granian ends the service at the second death.
        self.respawned_wrks.clear()


def _application() -> Any:
    """The ASGI application. Called once in each worker."""
    # Until Granian sets its handlers for a worker, the inherited ones of the main
    # process would run, and the signal would be lost.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    from krafter.asgi import application

    return application


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(DRAIN_SECONDS)
    os._exit(1)


def _connections() -> int:
    """The most open connections, after raising the limit of open files."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_CONNECTIONS + _OTHER_FILES
    files = wanted if most == resource.RLIM_INFINITY else min(most, wanted)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    return max(files - _OTHER_FILES, files // 2)


def main() -> None:
    address, port, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "krafter.settings")
    os.environ["WORKERS"] = str(workers)
    # A separate process, which has printed the problem to stderr.
    checked = subprocess.run(
        [sys.executable, "-P", "-m", "krafter.startup"],
        # The same module path as this process, without the current folder.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    if checked.returncode:
        sys.exit(checked.returncode)
    with _numbers_of_workers() as folder:
        # Read where prometheus_client is imported, in the workers.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        _serve(address, port, workers)


@contextmanager
def _numbers_of_workers() -> Iterator[str]:
    """A folder for the metrics of workers, in memory where the system has it.

    The files are memory-mapped: on a full disk, writing to them kills the process.
    """
    shared = Path("/dev/shm")  # noqa: S108 - a folder of our own is made there
    parent = shared if os.access(shared, os.W_OK) else None
    with tempfile.TemporaryDirectory(
        prefix="krafter-", dir=parent, ignore_cleanup_errors=True
    ) as folder:
        yield folder


def _serve(address: str, port: int, workers: int) -> None:
    from django.conf import settings

    # Workers get the socket by inheriting it.
    multiprocessing.set_start_method("fork")
    server = _Server(
        target="krafter.asgi:application",
        address=address,
        port=port,
        workers=workers,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        # HTTP/2 is left to the proxy: cleartext HTTP/2 could block all threads.
        http=HTTPModes.http1,
        websockets=False,
        backlog=_BACKLOG,
        # The most connections of a worker, idle ones included.
        backpressure=_connections(),
        # The timeout covers the head of a request and idle connections.
        http1_settings=HTTP1Settings(
            header_read_timeout=settings.HEAD_SECONDS * 1_000,
            max_buffer_size=_BUFFER_BYTES,
        ),
        respawn_failed_workers=True,
        workers_kill_timeout=DRAIN_SECONDS,
        # An access log would contain addresses. Lower levels log each start.
        log_access=False,
        log_level=LogLevels.error,
        send_seconds=settings.SEND_SECONDS,
    )
    server.serve(target_loader=_application, wrap_loader=False)


if __name__ == "__main__":
    main()
