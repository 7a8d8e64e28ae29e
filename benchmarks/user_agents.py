"""How often programs are taken for people, and people for programs.

    python -m benchmarks.user_agents [--errors]

Builds a labelled set of about 40,000 user agents from what packages carry: the
test cases of device-detector (Matomo's; people, programs and devices), the
examples of crawler-user-agents, and the strings of browsers that fake-useragent
and user-agents (npm) collect. None of them is kept. Compares the rules with what
was before them, crawler-user-agents alone, and tells the devices. --errors lists
what is wrong. Ends with one line of JSON.
"""

import argparse
import io
import json
import re
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import re2
import yaml
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from analytics.ingest import user_agents

FROM_PYPI = ("device-detector==6.5.1", "fake-useragent==2.2.0")
FROM_NPM = "user-agents@2.1.198"
# Strings of networking libraries and of apps, which device-detector files under the
# phone they run on. No page runs in them: neither browsers nor crawlers.
NO_BROWSER = re.compile(
    r"(?!Mozilla).*CFNetwork|Dalvik|iP(?:hone|od|ad)\w*$|GOGGalaxyClient"
)
DEVICES = {
    **dict.fromkeys(("smartphone", "phablet", "feature phone"), "Mobile"),
    **{"tablet": "Tablet", "tv": "TV", "console": "Console", "desktop": "Desktop"},
}


class Case(NamedTuple):
    source: str
    is_program: bool
    # One of ours, or None where it is not known.
    device: str | None = None


def collect(folder: Path) -> dict[str, Case]:
    """Each distinct string and its label; of two labels the first."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    pip += ["--disable-pip-version-check", "--root-user-action=ignore"]
    subprocess.run([*pip, "--target", str(folder), *FROM_PYPI], check=True)
    npm = ["npm", "pack", "--silent", FROM_NPM]
    packed = subprocess.run(
        npm, check=True, cwd=folder, capture_output=True, text=True
    ).stdout.strip()
    cases: dict[str, Case] = {}
    for agent, case in _cases(folder, folder / packed):
        agent = agent.strip()
        if agent and (case.is_program or not NO_BROWSER.match(agent)):
            cases.setdefault(agent, case)
    return cases


def _cases(folder: Path, packed: Path) -> Iterator[tuple[str, Case]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    fixtures = folder / "device_detector" / "tests" / "fixtures" / "upstream"
    for path in sorted(fixtures.glob("*.yml")):
        for row in yaml.load(path.read_text(), loader):
            if case := _of_matomo(path.stem, row):
                yield row["user_agent"], case
    for entry in CRAWLER_USER_AGENTS_DATA:
        for agent in entry["instances"]:
            yield agent, Case("crawler-user-agents", is_program=True)
    browsers = folder / "fake_useragent" / "data" / "browsers.jsonl"
    for line in browsers.read_text().splitlines():
        yield json.loads(line)["useragent"], Case("fake-useragent", is_program=False)
    with tarfile.open(packed) as archive:
        member = archive.extractfile("package/dist/user-agents.json")
        for row in json.load(member or io.BytesIO(b"[]")):
            yield row["userAgent"], Case("user-agents", is_program=False)


def _of_matomo(file: str, row: dict[str, Any]) -> Case | None:
    """Readers of feeds and mail, players and the like are left out as neither."""
    if file == "bots":
        return Case("device-detector", is_program=True)
    client = row.get("client")
    kind = client.get("type") if isinstance(client, dict) else None
    if kind == "library":
        return Case("device-detector", is_program=True)
    in_app = kind == "mobile app" and row["user_agent"].startswith("Mozilla/")
    if kind == "browser" or in_app:
        device = row.get("device")
        found = device.get("type") if isinstance(device, dict) else None
        return Case("device-detector", False, DEVICES.get(found or ""))
    return None


def before() -> Callable[[str], bool]:
    """What decided until now."""
    options = re2.Options()
    options.max_mem = 64 << 20
    patterns = (f"(?:{entry['pattern']})" for entry in CRAWLER_USER_AGENTS_DATA)
    crawlers = re2.compile("|".join(patterns), options)
    return lambda agent: not agent or crawlers.search(agent[:512]) is not None


def measure(
    name: str, decide: Callable[[str], bool], cases: dict[str, Case], *, errors: bool
) -> dict[str, Any]:
    began = time.perf_counter()
    said = {agent: decide(agent) for agent in cases}
    seconds = time.perf_counter() - began
    wrong = {agent: case for agent, case in cases.items() if said[agent] != case[1]}
    if errors:
        for agent, case in wrong.items():
            kind = "counted" if case.is_program else "lost"
            print(f"{name}  {kind}  {agent[:150]}")
    by_source = Counter((case.source, case.is_program) for case in wrong.values())
    for (source, is_program), count in sorted(by_source.items()):
        kind = "programs counted" if is_program else "people lost"
        print(f"{name:8} {source:20} {kind:17} {count:6,}")
    return {
        "programs_counted": sum(case.is_program for case in wrong.values()),
        "people_lost": sum(not case.is_program for case in wrong.values()),
        "microseconds": round(seconds / len(cases) * 1e6, 1),
    }


def devices(cases: dict[str, Case]) -> dict[str, str]:
    """For each device how many of its strings are told as such, of how many."""
    counts: dict[str, Counter[str]] = {}
    for agent, case in cases.items():
        if case.device:
            told = user_agents.parse(agent).device
            counts.setdefault(case.device, Counter())[told] += 1
    for device, found in sorted(counts.items()):
        print(f"{device:8}", dict(found.most_common()))
    return {
        device: f"{found[device]}/{found.total()}"
        for device, found in sorted(counts.items())
    }


def parse_time(cases: dict[str, Case]) -> float:
    """Of a string that was not seen before, its labels included."""
    uncached = user_agents._parse.__wrapped__
    began = time.perf_counter()
    for agent in cases:
        uncached(agent)
    return round((time.perf_counter() - began) / len(cases) * 1e6, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--errors", action="store_true", help="list what is wrong")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        cases = collect(Path(folder))
    result = {
        "people": sum(not case.is_program for case in cases.values()),
        "programs": sum(case.is_program for case in cases.values()),
        "before": measure("before", before(), cases, errors=options.errors),
        "after": measure(
            "after",
            user_agents.is_program,
            cases,
            errors=options.errors,
        ),
        "devices": devices(cases),
        "parse_microseconds": parse_time(cases),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
