"""Lines of the log, and the hook for errors."""

import json
import logging
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.servers import ROOT
from krafter import request_ids
from krafter.logs import JsonFormatter, TextFormatter

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00"


@pytest.fixture
def record():
    """A record of a failure, as it comes out of the handler's filter."""
    try:
        raise ValueError("too large\nDETAIL: a visitor's address")
    except ValueError:
        found = logging.LogRecord(
            "krafter.errors",
            logging.ERROR,
            "f",
            1,
            'It "%s"',
            ("fails",),
            sys.exc_info(),
        )
    with request_ids.named("abc"):
        request_ids.RequestIdFilter().filter(found)
    return found


def test_line_has_time_level_module_and_request(record):
    first = TextFormatter().format(record).splitlines()[0]
    assert re.fullmatch(rf'{TIME} ERROR krafter\.errors abc It "fails"', first)


def test_json_line_has_the_same_and_the_cause(record):
    [line] = JsonFormatter().format(record).splitlines()
    told = json.loads(line)
    assert re.fullmatch(TIME, told.pop("time"))
    assert "ValueError" in told.pop("traceback")
    assert told == {
        "level": "ERROR",
        "logger": "krafter.errors",
        "request_id": "abc",
        "message": 'It "fails"',
        "error": "ValueError",
        "cause": "too large",
    }


def test_format_is_a_setting(tmp_path):
    said = run(tmp_path, "logging.getLogger('a').warning('b')", LOG_FORMAT="json")
    assert json.loads(said)["message"] == "b"


def run(folder, code, **variables):
    """Run code under these settings; its stderr."""
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v0", "-c", f"import logging; {code}"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(folder), **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_errors_are_sent_where_the_setting_says(tmp_path):
    received = []

    class Sentry(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Sentry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        run(
            tmp_path,
            "import sentry_sdk; secret = 'a local value';"
            " logging.getLogger('krafter').error('It fails');"
            " sentry_sdk.flush(10)",
            SENTRY_DSN=f"http://key@127.0.0.1:{server.server_port}/1",
        )
        server.shutdown()
    import gzip

    sent = b"".join(
        gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body for body in received
    )
    assert b"It fails" in sent
    assert b"a local value" not in sent
