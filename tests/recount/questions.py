"""Questions to the API about some days of a site."""

import json
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from analytics.models import Site
from goals.models import Goal
from tests.conftest import ApiClient
from tests.recount.comparison import Earlier
from tests.recount.goals import DAY, Raw, Recount, channel
from tests.recount.histories import STARTS
from tests.recount.sources import attributed

FILTERS = {
    "": lambda raw: True,
    "&country=DE": lambda raw: raw.labels.country == "DE",
    "&country=!DE,FR": lambda raw: raw.labels.country not in ("DE", "FR"),
    "&os=(none)": lambda raw: raw.labels.os == "",
    "&country=DE&os=Linux": lambda raw: raw.labels[4:8:3] == ("DE", "Linux"),
    r"&utm_source=a\,b": lambda raw: raw.labels.utm_source == "a,b",
    "&referrer=GOOGLE": lambda raw: raw.labels.referrer == "Google",
    "&utm_campaign=SPRING": lambda raw: raw.labels.utm_campaign.lower() == "spring",
    "&referrer=(none)": lambda raw: raw.labels.referrer == "",
    "&referrer=!google,news.example&os=Linux": lambda raw: (
        raw.labels.referrer not in ("Google", "news.example")
        and raw.labels.os == "Linux"
    ),
    "&channel=search,email": lambda raw: channel(raw.labels) in ("Search", "Email"),
    "&channel=!Direct&country=!FR": lambda raw: (
        channel(raw.labels) != "Direct" and raw.labels.country != "FR"
    ),
    "&entry_path=/": lambda raw: raw.entry == "/",
    "&entry_path=!/blog/*": lambda raw: not (raw.entry or "").startswith("/blog/"),
    "&entry_path=(none)&referrer=Google": lambda raw: (
        raw.entry is None and raw.labels.referrer == "Google"
    ),
    "&path=/,(none)": lambda raw: place(raw) in ("/", None),
    "&path=!/b*&country=DE": lambda raw: (
        not (place(raw) or "").startswith("/b") and raw.labels.country == "DE"
    ),
    "&name=sign*,/": lambda raw: raw.name.startswith("sign") or raw.name == "/",
    "&props.k=1,true": lambda raw: spelled(raw) in ("1", "true"),
    "&props=k=1,true": lambda raw: spelled(raw) in ("1", "true"),
    "&props.k=(none)": lambda raw: spelled(raw) is None,
}


def place(raw: Raw) -> str | None:
    """The path where it happened."""
    return raw.name if raw.type == "pageview" else raw.page


def spelled(raw: Raw) -> str | None:
    """How a query writes a property. A refund has those of what it refunds."""
    value = (raw.props or {}).get("k")
    return None if value is None else f"{value}".removesuffix(".0").lower()


RATES = {
    (code, start + DAY): rate
    for start in STARTS
    for code, rate in (("USD", "1.25"), ("JPY", "160.5"))
}


class Asked(NamedTuple):
    """Questions about some days of a site, of all events or those with a label."""

    ask: ApiClient
    site: Site
    first: date
    last: date
    filters: str
    attribution: str

    @property
    def period(self) -> dict[str, str]:
        return {"from": f"{self.first}", "to": f"{self.last}"}

    def __call__(self, path: str, query: str = "", **options: Any) -> Any:
        period = f"period=custom&from={self.first}&to={self.last}"
        if self.attribution:
            period += f"&attribution={self.attribution}"
        path = f"/sites/{self.site.site_key}{path}?{period}{self.filters}{query}"
        response = self.ask("GET", path, **options)
        assert response.status_code == 200, response.content
        return response

    def data(self, path: str, query: str = "") -> Any:
        return exact(self(path, query))["data"]

    def send(self, method: str, path: str, body: Any = b"", status: int = 200) -> Any:
        response = self.ask(method, f"/sites/{self.site.site_key}{path}", body)
        assert response.status_code == status, response.content
        return exact(response)["data"]

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self.send("POST", path, {"period": "custom", **self.period, **body})


def recount(
    asked: Asked, history: list[Raw], goal: Goal, before: Earlier | None = None
) -> Recount:
    """Of all days, or of those that a period is compared with."""
    history = attributed(history, asked.attribution)
    if before is not None:
        history = [raw for raw in history if before.has(raw)]
    return Recount(history, goal, RATES, FILTERS[asked.filters])


def as_json(value: Any) -> str:
    """Of a breakdown, which has JSON's types."""
    return json.dumps(float(value) if isinstance(value, Decimal) else value)


def exact(response: Any) -> Any:
    return json.loads(response.content, parse_float=Decimal)


def rule_of(goal: Goal) -> dict[str, str]:
    fields = ("type", "match_type", "match_value")
    return {field: getattr(goal, field) for field in fields}
