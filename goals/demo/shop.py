"""Generates the visits of a day in a small demo shop. Pure.

The same seed and day always give the same visits. Shares and prices are invented.
"""

from collections.abc import Iterable, Iterator, Sequence
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
    # The referrer's host; None for a page of the shop itself.
    referrer: str | None = None


class Source(NamedTuple):
    """The source labels of the first event of a visit."""

    referrer: str = ""
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    click_id: str = ""


class Visit(NamedTuple):
    """`visitor` is a number within the day; `steps` have seconds of the day.

    Only the first step has the labels of the source, as pages send them; `agent` is
    device, browser, os.
    """

    visitor: int
    source: Source
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

_DIRECT = Source()
# A campaign with many visitors and no purchases.
_IDLE = Source("l.instagram.com", "instagram", "paid_social", "spring-reel", "fbclid")
_LETTER = Source("", "newsletter", "email", "monthly-letter")
_SOURCES: _Weighted[Source] = (
    (30, _DIRECT),
    (20, Source("www.google.com")),
    (6, Source("www.google.de")),
    (5, Source("duckduckgo.com")),
    (4, Source("www.bing.com")),
    (4, Source("www.reddit.com")),
    (3, Source("news.ycombinator.com")),
    (3, Source("chatgpt.com")),
    (3, Source("www.paper-lovers.example")),
    (8, Source("www.google.com", "google", "cpc", "spring-sale", "gclid")),
    (4, _LETTER),
    (10, _IDLE),
)
# Sources of visitors who return on the same day.
_AGAIN: _Weighted[Source] = (
    (70, _DIRECT),
    (15, Source("www.google.com")),
    (15, _LETTER),
)
# A payment provider, from which some buyers return to the thank-you page.
_PAYMENT_HOSTS = ("www.paypal.com", "checkout.stripe.com", None)
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
# Shares of the visits by the hour of their start, in four rows of six hours.
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
# By weekday from Monday, relative to the mean.
_WEEKDAYS = (1.1, 1.15, 1.1, 1.05, 1.0, 0.75, 0.85)
_VISITORS_A_DAY = 150
_SECOND_VISIT = 0.12
_SLOTS_TO_A_CONVERSION = 5
_CONVERSIONS = {"purchase", "/newsletter/confirmed", "contact_form_sent"}


def visits(day: date, seed: int) -> Iterator[Visit]:
    random = Random(f"{seed} {day}")  # noqa: S311 - nothing here is a secret
    visitors = _VISITORS_A_DAY * _WEEKDAYS[day.weekday()] * random.gauss(1, 0.08)
    for visitor in range(round(visitors)):
        source = _choose(random, _SOURCES)
        country, agent = _choose(random, _COUNTRIES), _choose(random, _AGENTS)
        if source == _IDLE:
            yield Visit(visitor, source, country, agent, _steps(random, _look(random)))
            continue
        yield Visit(visitor, source, country, agent, _steps(random, _journey(random)))
        if random.random() < _SECOND_VISIT:
            source = _choose(random, _AGAIN)
            again = _steps(random, _journey(random))
            yield Visit(visitor, source, country, agent, again)


def live_visit(day: date, slot: int, seconds: int) -> Visit:
    """Return the visit that begins in a slot of this many seconds of the day.

    Every fifth visit ends with a conversion, so that a user of the demo soon sees some.
    """
    random = Random(f"live {day} {slot}")  # noqa: S311 - nothing here is a secret
    journey = list(_journey(random))
    while slot % _SLOTS_TO_A_CONVERSION == 0 and not _converts(journey):
        journey = list(_journey(random))
    begins = slot * seconds + random.randrange(seconds)
    country, agent = _choose(random, _COUNTRIES), _choose(random, _AGENTS)
    steps = _timed(random, journey, begins)
    return Visit(slot, _choose(random, _SOURCES), country, agent, steps)


def _choose(random: Random, weighted: _Weighted[_Value]) -> _Value:
    weights = [weight for weight, _ in weighted]
    return random.choices(weighted, weights)[0][1]


def _steps(random: Random, journey: Iterable[Step]) -> list[tuple[int, Step]]:
    second = _choose(random, _HOURS) * 3_600 + random.randrange(3_600)
    return _timed(random, journey, second)


def _timed(
    random: Random, journey: Iterable[Step], second: int
) -> list[tuple[int, Step]]:
    steps = []
    for step in journey:
        steps.append((second, step))
        if step.type == "pageview":
            second += random.randrange(8, 120)
    return steps


def _journey(random: Random) -> Iterator[Step]:
    """Return the steps of one visit; most visitors leave before the end."""
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


def _converts(journey: Iterable[Step]) -> bool:
    return any(step.name in _CONVERSIONS for step in journey)


def _look(random: Random) -> Iterator[Step]:
    """Return the steps of a visitor who buys nothing."""
    yield _view("/products/canvas-bag")
    if random.random() < 0.3:
        yield _view("/products")


def _view(path: str, referrer: str | None = None) -> Step:
    return Step("pageview", path, referrer=referrer)


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
    yield _view("/thank-you", random.choice(_PAYMENT_HOSTS))
    yield Step("goal", "purchase", page="/thank-you", amount=sum(cart, Decimal()))
