"""An application with one thread, for the tests of how answers are sent."""

import time

from krafter.front.application import Front, Route
from krafter.front.bodies import Bodies
from krafter.front.http import Response
from krafter.front.spool import Disk
from krafter.front.threads import Threads

SEND_SECONDS = 2
PART = b"x" * 100_000
# Room for the answer to /long, and not for the endless one.
DISK = 5_000_000

closed: list[int] = []
called: list[str] = []


class Parts:
    def __init__(self, number, *, fails=False):
        self.parts = iter([PART] * number)
        self.fails = fails

    def __iter__(self):
        return self

    def __next__(self):
        part = next(self.parts, None)
        if part is None:
            if self.fails:
                raise RuntimeError
            raise StopIteration
        return part

    def close(self):
        closed.append(1)


def wsgi(environ, start_response):
    path = environ["PATH_INFO"]
    called.append(path)
    start_response("200 OK", [("X-Path", path)])
    match path:
        case "/short":
            return [b"a", b"b"]
        case "/long":
            return Parts(20)
        case "/endless":
            return Parts(1_000_000)
        case "/broken":
            return Parts(3, fails=True)
        case "/slow":
            time.sleep(1)
        case "/closed":
            return [str(len(closed)).encode()]
        case "/called":
            return [",".join(called).encode()]
    return []


application = Front(
    routes={},
    otherwise=Route(
        Threads(wsgi, threads=1, max_waiting=2, disk=Disk(DISK)).answer,
        lambda scope, refusal: Response(refusal.status, []),
        lambda scope: 1_000,
    ),
    bodies=Bodies(seconds=2, per_client=5, client=lambda address: address),
    send_seconds=SEND_SECONDS,
    start=lambda: None,
    stop=lambda: None,
)
