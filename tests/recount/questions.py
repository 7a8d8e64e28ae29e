"""Questions to the API about some days of a site."""

import json
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from analytics.models import Site
from tests.conftest import ApiClient

FILTERS = {
    "": lambda labels: True,
    "&country=DE": lambda labels: labels.country == "DE",
    "&country=!DE,FR": lambda labels: labels.country not in ("DE", "FR"),
    "&os=(none)": lambda labels: labels.os == "",
    "&country=DE&os=Linux": lambda labels: labels[4:8:3] == ("DE", "Linux"),
    r"&utm_source=a\,b": lambda labels: labels.utm_source == "a,b",
}


class Asked(NamedTuple):
    """Questions about some days of a site, of all events or those with a label."""

    ask: ApiClient
    site: Site
    first: date
    last: date
    filters: str

    @property
    def period(self) -> dict[str, str]:
        return {"from": f"{self.first}", "to": f"{self.last}"}

    def __call__(self, path: str, query: str = "", **options: Any) -> Any:
        period = f"period=custom&from={self.first}&to={self.last}"
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


def exact(response: Any) -> Any:
    return json.loads(response.content, parse_float=Decimal)
