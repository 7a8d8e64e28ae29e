"""Addresses and user agents of visitors in the memory of a process.

    pytest -s tests/analytics/ingest/test_traces_in_memory.py

Housekeeping drops them from every cache. Python does not overwrite what it frees, so
that the raw memory may hold remains: how many is printed, and told in docs/privacy.md.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
VISITORS = 100
# What is searched for must not be in the process that is searched.
SCRIPT = """
import gc, io, json, re, sys
import django
django.setup()
import time_machine
from datetime import UTC, datetime, timedelta
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from analytics import housekeeping
from analytics.models import Event, Site, SiteSalt, Team
from ipaddress import ip_network

settings.TRUSTED_PROXIES = [ip_network("127.0.0.1/32")]
settings.RATE_LIMIT_COLLECT = 100
call_command("migrate", verbosity=0)
team = Team.objects.create(name="x")
site = Site.objects.create(team=team, domain="example.com")
MARK = re.compile(r"2001:db8:dead:[0-9a-f]+::|fox/140[.]0 tr[a]ce/[0-9]")


def live():
    gc.collect()
    found = 0
    for holder in gc.get_objects():
        for held in gc.get_referents(holder):
            if type(held) is bytes:
                held = held.decode("latin-1")
            if type(held) is str and MARK.search(held):
                found += 1
    return found


def visit(number):
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    answer = Client(SERVER_NAME="localhost").post(
        "/api/v1/analytics/collect",
        json.dumps({"site": site.site_key, "type": "event", "name": "signup"}),
        content_type="text/plain",
        headers={
            "X-Forwarded-For": "2001:db8:dead:%x::77" % number,
            "User-Agent": agent + " tr" + "ace/%d" % number,
        },
    )
    assert answer.status_code == 202


now = datetime(2026, 11, 27, 12, tzinfo=UTC)
with time_machine.travel(now, tick=False) as clock:
    for number in range(int(sys.argv[1])):
        visit(number)
    del number
    assert Event.objects.count() == int(sys.argv[1])
    print(live(), bytes(SiteSalt.objects.get().value).hex(), flush=True)
    input()
    housekeeping.tidy()
    print(live(), flush=True)
    input()
    clock.move_to(now + timedelta(hours=36))
    assert housekeeping.tidy().salts == 1
    print(live(), flush=True)
    input()
"""


def in_memory(pid: int, wanted: re.Pattern[bytes]) -> int:
    """How often it is in the writable memory of the process."""
    found = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            start, end = (int(part, 16) for part in line.split()[0].split("-"))
            if line.split()[1].startswith("rw") and "[v" not in line:
                memory.seek(start)
                try:
                    found += len(wanted.findall(memory.read(end - start)))
                except OSError:
                    continue
    return found


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no /proc")
def test_caches_of_a_process_forget_who_was_there(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(VISITORS)],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
            "DJANGO_SETTINGS_MODULE": "krafter.settings",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        addresses, agents = (
            re.compile(rb"2001:db8:dead:[0-9a-f]+::77"),
            re.compile(rb"fox/140\.0 trace/\d"),
        )
        salt = b""
        for moment in ("before", "after ten minutes", "after 48 hours"):
            live, *rest = process.stdout.readline().split()
            if rest:
                salt = bytes.fromhex(rest[0])
                # The search finds them while they are there.
                assert int(live) > VISITORS
            else:
                assert int(live) == 0
            counts = [
                in_memory(process.pid, wanted)
                for wanted in (addresses, agents, re.compile(re.escape(salt)))
            ]
            sys.stdout.write(f"{moment}: {counts}\n")
            assert moment != "before" or all(counts[:2])
            process.stdin.write("\n")
            process.stdin.flush()
