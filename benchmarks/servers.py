"""Servers for measurements: started, waited for, and ended."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
# A machine that does much else.
START_SECONDS = 120.0


class Server:
    """A running server; `workers` are the ids of its worker processes."""

    def __init__(self, process: "subprocess.Popen[bytes]", url: str) -> None:
        self.process = process
        self.url = url

    @property
    def workers(self) -> list[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def resident_kib(self) -> int:
        """Memory of all workers, as the kernel counts it."""
        total = 0
        for pid in self.workers:
            status = Path(f"/proc/{pid}/status").read_text()
            total += int(status.split("VmRSS:")[1].split()[0])
        return total


@contextlib.contextmanager
def serve_service(
    *,
    workers: int = 1,
    threads: int = 16,
    log: str | Path = "",
    clock: str = "",
    **environment: str,
) -> Iterator[Server]:
    """Run the service as production does.

    `log`: a file for what it writes; `clock`: how far its machine's clock is off, as
    faketime says it.
    """
    port = free_port()
    command = [sys.executable, "-m", "krafter.server", "127.0.0.1", str(port)]
    environment = {"THREADS": str(threads), **environment}
    if clock:
        environment |= _faked(clock)
    with _running([*command, str(workers)], port, environment, log) as server:
        yield server


def _faked(clock: str) -> dict[str, str]:
    """What faketime sets. It does not end what it started when it is ended itself."""
    names = ("LD_PRELOAD", "FAKETIME")
    told = subprocess.run(
        ["faketime", "-f", clock, "printenv", *names],
        check=True,
        capture_output=True,
        text=True,
    )
    return dict(zip(names, told.stdout.splitlines(), strict=True))


@contextlib.contextmanager
def serve_trivial(target: str, *, threads: int = 64) -> Iterator[Server]:
    """Run a WSGI `module:application` to measure against."""
    options = ("--blocking-threads", str(threads), "--backpressure", "1024")
    with _granian(target, "wsgi", *options) as server:
        yield server


@contextlib.contextmanager
def serve_application(target: str) -> Iterator[Server]:
    """Run an ASGI `module:application` as the service runs its own."""
    with _granian(target, "asgi", "--http", "1", "--loop", "uvloop") as server:
        yield server


@contextlib.contextmanager
def _granian(target: str, interface: str, *options: str) -> Iterator[Server]:
    port = free_port()
    command = [
        str(Path(sys.executable).with_name("granian")),
        *("--interface", interface, "--host", "127.0.0.1", "--port", str(port)),
        *("--no-access-log", "--log-level", "error", *options, target),
    ]
    with _running(command, port, {}) as server:
        yield server


@contextlib.contextmanager
def _running(
    command: list[str],
    port: int,
    environment: dict[str, str],
    log: str | Path = "",
) -> Iterator[Server]:
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(Path(log).open("ab")) if log else None
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stderr=output
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url, process)
        yield Server(process, url)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError("the server did not start")
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the server did not answer")
