"""Clients that retry nothing, and remember what each request was answered."""

import json
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Self

from benchmarks.crash import AGENT
from benchmarks.ingest import COLLECT

SENDERS = 6
SITE = "sk_abc123def456"


@dataclass
class Answers:
    """What the clients were told."""

    acknowledged: set[str] = field(default_factory=set)
    sent: set[str] = field(default_factory=set)
    # (when it was sent, who asked, status, seconds)
    all: list[tuple[float, str, int, float]] = field(default_factory=list)
    without_retry_after: int = 0


class Clients:
    """Visitors, and those who ask; `answers` is what they were told so far."""

    def __init__(self, urls: list[str], secret: str, goal: str, prefix: str) -> None:
        self.answers = Answers()
        self._urls = urls
        self._prefix = prefix
        self._stop = threading.Event()
        self._lock = threading.Lock()
        bearer: dict[str, str] = {"Authorization": f"Bearer {secret}"}
        goal_path = f"/api/v1/analytics/sites/{SITE}/goals/{goal}/stats?period=7d"
        asked: tuple[tuple[str, str, dict[str, str]], ...] = (
            ("api", goal_path, bearer),
            ("admin", "/admin/login/", {}),
            ("script", "/a.js", {}),
        )
        self._threads = [
            threading.Thread(target=self._send, args=(number,))
            for number in range(SENDERS)
        ] + [threading.Thread(target=self._ask, args=each) for each in asked]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self, number: int) -> None:
        url = self._urls[number % len(self._urls)] + COLLECT
        count = 0
        while not self._stop.is_set():
            count += 1
            name = f"{self._prefix}-{number}-{count}"
            event = {"site": SITE, "type": "event", "name": "paid"}
            body = json.dumps({**event, "props": {"n": name}}).encode()
            headers = {"User-Agent": AGENT, "Content-Type": "text/plain"}
            self.answers.sent.add(name)
            if self._told("collect", url, headers, body) == 202:
                self.answers.acknowledged.add(name)
            time.sleep(0.01)

    def _ask(self, who: str, path: str, headers: dict[str, str]) -> None:
        while not self._stop.is_set():
            self._told(who, self._urls[0] + path, headers)
            time.sleep(0.05)

    def _told(
        self, who: str, url: str, headers: dict[str, str], body: bytes | None = None
    ) -> int:
        began = time.monotonic()
        status, retry_after = 0, None
        request = urllib.request.Request(url, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=15) as response:
                status = response.status
                response.read()
        except urllib.error.HTTPError as error:
            with error:
                status, retry_after = error.code, error.headers["Retry-After"]
        except OSError:
            # The worker was killed, or did not answer at all.
            status = 0
        with self._lock:
            took = time.monotonic() - began
            self.answers.all.append((began, who, status, took))
            self.answers.without_retry_after += status == 503 and not retry_after
        return status
