"""Answers of a WSGI application with one thread: who may keep it, and how long."""

import http.client
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from benchmarks.servers import serve_application
from tests.krafter.front.one_thread import PART, SEND_SECONDS


@pytest.fixture
def ask():
    """Ask a new server, or leave it with `ask.leave`."""
    with serve_application("tests.krafter.front.one_thread:application") as server:
        port = int(server.url.rpartition(":")[2])

        yield _Server(port)


class _Server:
    def __init__(self, port):
        self.port = port

    def __call__(self, path):
        with closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        ) as connection:
            connection.request("GET", path, headers={"Connection": "close"})
            with connection.getresponse() as response:
                return response.status, response.read(), response.headers

    def leave(self, path, *, after):
        """Ask, and read nothing of the answer."""
        client = socket.create_connection(("127.0.0.1", self.port))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        time.sleep(after)
        return client


def test_short_answer_is_sent_as_a_whole(ask):
    status, body, headers = ask("/short")
    assert (status, body, headers["X-Path"]) == (200, b"ab", "/short")
    assert headers["Content-Length"] == "2"


def test_long_answer_is_sent_in_parts(ask):
    status, body, headers = ask("/long")
    assert (status, body) == (200, PART * 20)
    assert headers["Transfer-Encoding"] == "chunked"
    assert ask("/closed")[1] == b"1"


def test_answer_that_breaks_off_is_seen_to_be_incomplete(ask):
    with pytest.raises(http.client.IncompleteRead):
        ask("/broken")
    assert ask("/closed")[1] == b"1"


def test_client_that_leaves_frees_the_thread(ask):
    ask.leave("/endless", after=0.5).close()
    begun = time.monotonic()
    assert ask("/closed")[1] == b"1"
    assert time.monotonic() - begun < SEND_SECONDS


def test_client_that_does_not_read_frees_the_thread_at_the_deadline(ask):
    client = ask.leave("/endless", after=0.5)
    begun = time.monotonic()
    assert ask("/closed")[1] == b"1"
    assert time.monotonic() - begun < SEND_SECONDS + 1
    client.close()


def answered(ask, number):
    """Whether so many are made before a deadline could have freed the thread."""
    end = time.monotonic() + SEND_SECONDS * 0.9
    while time.monotonic() < end:
        if ask("/closed")[1] == number:
            return True
    return False


def test_answer_that_fits_into_its_file_keeps_no_thread(ask):
    clients = [ask.leave("/long", after=0) for _ in range(2)]
    assert answered(ask, b"2")
    # It is whole, and in order.
    read = b""
    while not read.endswith(b"\r\n0\r\n\r\n"):
        part = clients[0].recv(1 << 20)
        assert part, "it broke off"
        read += part
    assert read.partition(b"\r\n\r\n")[2].count(b"x") == len(PART) * 20
    for client in clients:
        client.close()


def test_disk_of_an_answer_that_nobody_reads_is_free_at_the_deadline(ask):
    clients = [ask.leave("/long", after=0) for _ in range(2)]
    assert answered(ask, b"2")
    time.sleep(SEND_SECONDS + 1)
    # All of it is needed again.
    more = [ask.leave("/long", after=0) for _ in range(2)]
    assert answered(ask, b"4")
    for client in [*clients, *more]:
        client.close()


def test_request_whose_client_left_is_never_begun(ask):
    first = ask.leave("/slow", after=0.3)
    ask.leave("/unwanted", after=0.2).close()
    assert ask("/called")[1] == b"/,/slow,/called"
    first.close()


def test_more_than_may_wait_for_a_thread_is_503(ask):
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: ask("/slow")[0], range(8)))
    assert sorted(statuses) == [200] * 3 + [503] * 5
    assert ask("/short")[0] == 200
