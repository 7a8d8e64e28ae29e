"""Generates the visits of a day in a small demo shop. Pure.

The same seed and day always give the same visits. Shares and prices are invented.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple, TypeVar

_Value = TypeVar("_Value")
_Weighted = Sequence[tuple[float, _Value]]


class Step(NamedTuple):
    """One event of a visit."""

    type: str
    name: str
    page: str | None = None
    amount: Decimal | None = None
    props: dict[str, Any] | None = None


class Visit(NamedTuple):
    """`visitor` is a number within the day; `steps` have seconds of the day.

    `source` is referrer, utm_source, utm_medium, utm_campaign; `agent` is
    device, browser, os.
    """

    visitor: int
    source: tuple[str, str, str, str]
    country: str
    agent: tuple[str, str, str]
    steps: list[tuple[int, Step]]


_PRODUCTS = {
    "field-notebook": Decimal("19.00"),
    "canvas-bag": Decimal("49.00"),
    "desk-lamp": Decimal("89.00"),
    "walnut-tray": Decimal("64.50"),
}
_POSTS = ("how-we-make-paper", "a-desk-that-lasts", "repair-guide")
_TOPICS = ("order", "return", "wholesale")

_SOURCES: _Weighted[tuple[str, str, str, str]] = (
    (38, ("", "", "", "")),
    (27, ("Google", "", "", "")),
    (5, ("DuckDuckGo", "", "", "")),
    (4, ("Bing", "", "", "")),
    (6, ("Instagram", "", "", "")),
    (4, ("Reddit", "", "", "")),
    (3, ("Hacker News", "", "", "")),
    (8, ("Google", "google", "cpc", "spring-sale")),
    (5, ("", "newsletter", "email", "monthly-letter")),
)
_COUNTRIES: _Weighted[str] = (
    *((30, "US"), (14, "DE"), (11, "GB"), (8, "FR"), (7, "NL"), (6, "CA")),
    *((5, "AU"), (5, "SE"), (4, "IN"), (4, "BR"), (3, "JP"), (3, "")),
)
_AGENTS: _Weighted[tuple[str, str, str]] = (
    (26, ("Desktop", "Chrome", "Windows")),
    (12, ("Desktop", "Chrome", "Mac OS X")),
    (10, ("Desktop", "Safari", "Mac OS X")),
    (8, ("Desktop", "Firefox", "Linux")),
    (6, ("Desktop", "Edge", "Windows")),
    (20, ("Mobile", "Mobile Safari", "iOS")),
    (15, ("Mobile", "Chrome Mobile", "Android")),
    (3, ("Tablet", "Mobile Safari", "iOS")),
)
# Shares of the visits by the hour they begin, in four rows of six.
_HOURS: _Weighted[int] = [
    (share, hour)
    for hour, share in enumerate(
        (
            *(2, 1, 1, 1, 1, 2),
            *(4, 7, 10, 12, 12, 11),
            *(12, 12, 11, 11, 11, 11),
            *(12, 13, 14, 13, 9, 5),
        )
    )
]
# From Monday, against the mean.
_WEEKDAYS = (1.1, 1.15, 1.1, 1.05, 1.0, 0.75, 0.85)
_VISITORS_A_DAY = 150
_SECOND_VISIT = 0.12


def visits(day: date, seed: int) -> Iterator[Visit]:
    random = Random(f"{seed} {day}")  # noqa: S311 - nothing here is a secret
    visitors = _VISITORS_A_DAY * _WEEKDAYS[day.weekday()] * random.gauss(1, 0.08)
    for visitor in range(round(visitors)):
        source = _choose(random, _SOURCES)
        country, agent = _choose(random, _COUNTRIES), _choose(random, _AGENTS)
        yield Visit(visitor, source, country, agent, _steps(random))
        if random.random() < _SECOND_VISIT:
            direct = ("", "", "", "")
            yield Visit(visitor, direct, country, agent, _steps(random))


def _choose(random: Random, weighted: _Weighted[_Value]) -> _Value:
    weights = [weight for weight, _ in weighted]
    return random.choices(weighted, weights)[0][1]


def _steps(random: Random) -> list[tuple[int, Step]]:
    second = _choose(random, _HOURS) * 3_600 + random.randrange(3_600)
    steps = []
    for step in _journey(random):
        steps.append((second, step))
        if step.type == "pageview":
            second += random.randrange(8, 120)
    return steps


def _journey(random: Random) -> Iterator[Step]:
    """The steps of one visit; most visitors leave before the end."""
    arrival = random.random()
    if arrival < 0.3:
        yield from _read(random)
        if random.random() < 0.7:
            return
    elif arrival < 0.8:
        yield _view("/")
        if random.random() < 0.35:
            return
        if random.random() < 0.08:
            yield from _write_to_us(random)
    yield from _shop(random)


def _view(path: str) -> Step:
    return Step("pageview", path)


def _read(random: Random) -> Iterator[Step]:
    yield _view(f"/blog/{random.choice(_POSTS)}")
    if random.random() < 0.15:
        yield _view("/newsletter")
        if random.random() < 0.7:
            yield _view("/newsletter/confirmed")


def _write_to_us(random: Random) -> Iterator[Step]:
    yield _view("/contact")
    if random.random() < 0.6:
        props = {"topic": random.choice(_TOPICS)}
        yield Step("event", "contact_form_sent", page="/contact", props=props)


def _shop(random: Random) -> Iterator[Step]:
    yield _view("/products")
    cart = []
    for product in random.sample(sorted(_PRODUCTS), random.randint(1, 3)):
        path = f"/products/{product}"
        yield _view(path)
        if random.random() < 0.2:
            cart.append(_PRODUCTS[product])
            yield Step("event", "add_to_cart", page=path, props={"product": product})
    for path, going_on in (("/cart", 0.65), ("/checkout", 0.75)):
        if not cart:
            return
        yield _view(path)
        if random.random() > going_on:
            return
    yield _view("/thank-you")
    yield Step("goal", "purchase", page="/thank-you", amount=sum(cart, Decimal()))
