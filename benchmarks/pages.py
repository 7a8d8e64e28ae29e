"""How long the owners' pages take, as ratios to the service's trivial endpoint.

    python -m benchmarks.pages [--events 1000000] [--goals 100] [--requests 30]

One site on PostgreSQL with the synthetic year of `benchmarks.stats`, and so many
goals. Each page and each part that loads after one is asked until its counts are
kept, and then in turns with the trivial endpoint (a site over the API). One line of
JSON: the median of each as a multiple of the trivial one's, and that in milliseconds.
"""

import argparse
import json
import re
import statistics
import time
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

from benchmarks.ingest import manage
from benchmarks.servers import serve_service
from benchmarks.stats import SITE, Api, fill
from tests.postgres import throwaway

PASSWORD = "a long password of the benchmark"
PAGES = "/sites/sk_abc123def456"
# {goal} is the first of the goals. Of the parts the names begin with "part".
PATHS = {
    "sites": "/",
    "goals": PAGES,
    "goals_compared": f"{PAGES}?compare=previous",
    "goals_12mo": f"{PAGES}?period=12mo",
    "goal": f"{PAGES}/goals/{{goal}}",
    "goal_compared": f"{PAGES}/goals/{{goal}}?compare=previous",
    "new_goal": f"{PAGES}/goals/new",
    "funnels": f"{PAGES}/funnels",
    "live": f"{PAGES}/live",
    "settings": f"{PAGES}/settings",
    "part_breakdown": f"{PAGES}/goals/{{goal}}/breakdown?dimension=referrer",
    "part_names": f"{PAGES}/goals/{{goal}}/names",
    "part_conversions": f"{PAGES}/goals/{{goal}}/conversions",
    "part_sent": f"{PAGES}/names?unmatched=true",
}
_TRIES = 200


class Browser:
    """A person who has signed in; `ask` returns the milliseconds of a page."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(CookieJar())
        ).open
        page = self._open(f"{url}/login", timeout=60).read().decode()
        token = re.findall('name="csrfmiddlewaretoken" value="([^"]+)"', page)[0]
        form = {"csrfmiddlewaretoken": token, "username": "ada", "password": PASSWORD}
        request = urllib.request.Request(
            f"{url}/login", urllib.parse.urlencode(form).encode(), {"Referer": url}
        )
        self._open(request, timeout=60).read()

    def ask(self, path: str) -> float:
        request = urllib.request.Request(self._url + path, headers={"X-Part": "1"})
        began = time.perf_counter()
        self._open(request, timeout=120).read()
        return (time.perf_counter() - began) * 1e3

    def warm(self, path: str) -> None:
        """Ask until the counts of the past are kept."""
        for _ in range(_TRIES):
            try:
                self.ask(path)
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
                time.sleep(1)
            else:
                return
        raise TimeoutError(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--goals", type=int, default=100)
    parser.add_argument("--requests", type=int, default=30)
    options = parser.parse_args()
    with throwaway(settings=["shared_buffers=512MB", "max_wal_size=4GB"]) as url:
        fill(url, options.events)
        figures = measure(url, goals=options.goals, requests=options.requests)
    print(
        json.dumps(
            {"events": options.events, "number_of_goals": options.goals, **figures}
        )
    )


def measure(url: str, *, goals: int, requests: int) -> dict[str, float]:
    key = manage("create_token", "--name=bench", "--scopes=*", database=url)
    making = "from django.contrib.auth.models import User;"
    making += f"User.objects.create_superuser('ada', password={PASSWORD!r})"
    manage("shell", "-v0", "-c", making, database=url)
    with serve_service(threads=8, DATABASE_URL=url, RATE_LIMIT_API="0") as server:
        api = Api(server, key)
        paths = with_goals(api, goals)
        browser = Browser(server.url)
        for path in paths.values():
            browser.warm(path)
        # It was idle for longer than the service keeps connections.
        api.reconnect()
        times: dict[str, list[float]] = {name: [] for name in ("trivial", *paths)}
        for _ in range(requests):
            began = time.perf_counter()
            api("GET", SITE)
            times["trivial"].append((time.perf_counter() - began) * 1e3)
            for name, path in paths.items():
                times[name].append(browser.ask(path))
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    trivial = medians.pop("trivial")
    ratios = {name: round(taken / trivial, 1) for name, taken in medians.items()}
    return {"trivial_ms": round(trivial, 2), **ratios}


def with_goals(api: Api, number: int) -> dict[str, str]:
    """Make so many goals, a third of each match type; the paths of the first."""
    made = []
    for each in range(number):
        match_type, value = (
            ("exact", f"/products/{each}"),
            ("contains", f"/blog/{each}"),
            ("regex", rf"^/docs/{each}\d*$"),
        )[each % 3]
        body = {
            "name": f"Goal {each}",
            "type": "pageview",
            "match_type": match_type,
            "match_value": value,
        }
        made.append(api("POST", f"{SITE}/goals", body)["id"])
    return {name: path.format(goal=made[0]) for name, path in PATHS.items()}


if __name__ == "__main__":
    main()
