"""Websites that carry the tracker, and the tabs of browsers in which they are open."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Error, Page
from playwright.sync_api import Request as Sent

ROOT = Path(__file__).resolve().parents[3]
TRACKER = ROOT / "analytics/static/analytics/a.js"
MORE = TRACKER.with_name("a.more.js")
KEY = "sk_abc123def456"
OTHER = "sk_other0000000"


class Website(ThreadingHTTPServer):
    """A site whose every page carries the tracker, and the collector beside it.

    `head` goes before the tracker's tag, `attributes` into it; `answers` holds
    other pages by path, or functions that make them.
    """

    def __init__(self, script: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server_port}"
        # Another site to the browser, at the same server.
        self.elsewhere = f"http://localhost:{self.server_port}"
        self.attributes = f'defer data-site="{KEY}" src="{self.origin}/a.js"'
        self.head = ""
        self.answers: dict[str, str | Callable[[], str]] = {
            "/a.js": script,
            "/a.more.js": MORE.read_text(),
        }
        self.missing = ""
        # What the next requests to the collector are answered; 202 from then on.
        self.statuses: list[int] = []
        # While it is unset, the collector does not answer.
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._posts: list[dict[str, str | None]] = []
        self._arrival = threading.Condition()

    def answer(self, path: str) -> str:
        page = f"<!doctype html>{self.head}{self.tag}<a href=/next>next</a>"
        answer = self.answers.get(path, page)
        return answer if isinstance(answer, str) else answer()

    @property
    def tag(self) -> str:
        return f"<script {self.attributes}></script>"

    def note(self, post: dict[str, str | None]) -> None:
        with self._arrival:
            self._posts.append(post)
            self._arrival.notify_all()

    def received(self, count: int) -> list[dict[str, Any]]:
        """All that arrived so far, and at least `count`."""
        with self._arrival:
            assert self._arrival.wait_for(lambda: len(self._posts) >= count, 10)
            return list(self._posts)


class Handler(BaseHTTPRequestHandler):
    server: Website

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        kind = "text/javascript" if path.endswith(".js") else "text/html"
        status = 404 if path == self.server.missing else 200
        self._reply(status, kind, self.server.answer(path))

    # There is no do_OPTIONS: whatever needs a preflight never arrives.
    def do_POST(self) -> None:
        post: dict[str, str | None] = {"path": self.path}
        for name in ("Content-Type", "Cookie", "Sec-Purpose"):
            post[name] = self.headers[name]
        post["body"] = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.note(post)
        self.server.may_answer.wait(10)
        status = self.server.statuses.pop(0) if self.server.statuses else 202
        self._reply(status, "application/json", '{"ok":true,"at":1771457400000}')

    def _reply(self, status: int, kind: str, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args: object) -> None:
        pass


class Visitor:
    """A browser's tab, and what the website's pages in it have sent."""

    def __init__(self, page: Page, website: Website) -> None:
        self.page, self.website = page, website
        self.posts: list[Sent] = []
        self.errors: list[Error] = []

    def note_request(self, request: Sent) -> None:
        if request.method == "POST":
            self.posts.append(request)

    def note_error(self, error: Error) -> None:
        self.errors.append(error)

    def open(self, path: str) -> None:
        self.page.goto(self.website.origin + path)

    def follow_link(self) -> None:
        self.page.click("text=next")
        self.page.wait_for_url("**/next")

    def run(self, script: str) -> Any:
        return self.page.evaluate(f"() => {{ {script} }}")

    def run_until(self, event: str, script: str) -> None:
        wait = f"addEventListener('{event}', done, {{once: true}})"
        self.run(f"return new Promise(done => {{ {wait}; {script} }})")

    def settle(self) -> None:
        """Return when all that waited is sent, answered, and nothing follows."""
        while True:
            # The browser reports requests before it answers a later question.
            self.run("return new Promise(done => setTimeout(done, 30))")
            count = len(self.posts)
            self.website.received(count)
            for post in self.posts:
                post.response()
            self.run("return new Promise(done => setTimeout(done, 30))")
            if count == len(self.posts):
                return

    def sent(self) -> list[dict[str, Any]]:
        """Every call, in the order of sending: its parts by name."""
        self.settle()
        return sent_by(self.website, count=len(self.posts))

    def views(self) -> list[str]:
        """The page views among them, without the origin."""
        return [
            call["url"].removeprefix(self.website.origin)
            for call in self.sent()
            if call["call"][0] == "page"
        ]

    def calls(self) -> list[Any]:
        """What was called, page views apart."""
        return [call["call"] for call in self.sent() if call["call"][0] != "page"]


def sent_by(website: Website, *, count: int) -> list[dict[str, Any]]:
    found = []
    for post in website.received(count):
        body = json.loads(post["body"])
        assert body["site"] in (KEY, OTHER)
        assert len(post["body"].encode()) <= 8 * 1024
        for at, url, *call in body["calls"]:
            while call[-1] is None:
                call.pop()
            made = {"call": call, "url": url, "ago": body["at"] - at}
            if body["site"] != KEY:
                made["site"] = body["site"]
            found.append(
                made | ({"referrer": body["referrer"]} if body["referrer"] else {})
            )
    return found
