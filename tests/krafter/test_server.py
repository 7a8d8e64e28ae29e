"""The processes of the service: how they die, and what comes in their place."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.halves import on_sqlite
from tests.running import running

pytestmark = on_sqlite


@pytest.fixture
def service(tmp_path):
    with running(tmp_path, workers=1) as service:
        yield service


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_alive(pid):
    path = Path(f"/proc/{pid}/stat")
    try:
        return path.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_worker_ends_when_its_parent_is_killed(service):
    [worker] = service.server.workers
    service.server.process.kill()
    service.server.process.wait()
    wait_until(lambda: not is_alive(worker), seconds=5)


def test_worker_that_dies_again_and_again_is_replaced(service):
    for _ in range(3):
        [worker] = service.server.workers
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda dead=worker: service.server.workers not in ([], [dead]))
        # What comes meanwhile waits for the new one.
        assert service("GET", "/sites").status == 200


def status_of(url):
    """Sent once more when it was not read: Granian closes a connection whose request
    has not arrived when a worker ends, and clients send such a GET again (RFC 9110,
    9.2.2).
    """
    for may_send_again in (True, False):
        try:
            with urllib.request.urlopen(url) as answer:
                return answer.status
        except (http.client.RemoteDisconnected, ConnectionResetError):
            if not may_send_again:
                raise
    return None


def test_reload_replaces_the_workers_and_refuses_nobody(service):
    [old] = service.server.workers
    failures, answered = [], []
    is_over = threading.Event()

    def ask():
        while not is_over.is_set():
            try:
                answered.append(status_of(service.server.url + "/healthz"))
            except OSError as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    service.server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not is_alive(old))
    time.sleep(0.5)
    is_over.set()
    for thread in threads:
        thread.join()
    [new] = service.server.workers
    assert new != old
    assert failures == []
    assert set(answered) == {200}
    assert len(answered) > 100


def test_second_server_on_the_port_does_not_start(service):
    port = service.server.url.rpartition(":")[2]
    path = Path(f"/proc/{service.server.process.pid}/environ")
    pairs = path.read_text().rstrip("\0").split("\0")
    done = subprocess.run(
        [sys.executable, "-m", "krafter.server", "127.0.0.1", port, "1"],
        env=dict(pair.split("=", 1) for pair in pairs),
        capture_output=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert b"in use" in done.stderr
    assert service("GET", "/sites").status == 200
