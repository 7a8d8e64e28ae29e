"""Histories of a site that hypothesis makes up, and how they are stored."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import uuid4
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from analytics import events
from analytics.events import Labels
from tests.recount.goals import DAY, Raw

# Clocks change by an hour in Berlin, by half an hour on Lord Howe; a leap day
# and the end of a month.
STARTS = [date(2025, 10, 25), date(2025, 4, 4), date(2024, 2, 28)]
ZONES = ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"]
# Names, and rules over them: few, so that most events match.
WORLDS = [
    (
        [("pageview", "/"), ("pageview", "/blog/42"), ("goal", "/")],
        [
            {"type": "pageview", "match_type": "exact", "match_value": "/"},
            {"type": "pageview", "match_type": "contains", "match_value": "/"},
            {"type": "pageview", "match_type": "regex", "match_value": r"/\d+$"},
        ],
    ),
    (
        [("event", "sign up"), ("event", "signup"), ("goal", "signup")],
        [
            {"type": "event", "match_type": "exact", "match_value": "signup"},
            {"type": "event", "match_type": "contains", "match_value": "up"},
            {"type": "event", "match_type": "regex", "match_value": "^sign.?up$"},
            {"type": "custom", "match_type": "contains", "match_value": "sign"},
        ],
    ),
]
AMOUNTS = ["10", "0.0334", "99.99", "1"]
PROPS = [None, *({"k": value} for value in (1, 1.0, "1", True, None, "", 0.5))]
LABELS = [
    Labels(),
    Labels(country="DE", utm_source="a,b"),
    Labels(country="DE", os="Linux"),
    Labels(country="FR"),
    Labels("www.google.com"),
    Labels("google.de", utm_campaign="Spring"),
    Labels("Google", utm_campaign="spring"),
    Labels("news.example", os="Linux"),
    Labels("www.shop.example"),
    Labels("checkout.pay.example", utm_term="x"),
    Labels("checkout.pay.example", os="Linux"),
    Labels(utm_source="email", country="FR"),
]
# Up to 30 minutes of silence do not end a visit, whatever the last second has.
GAPS = st.sampled_from(
    [timedelta(0, gap) for gap in (0, 300, 1_800, 1_800.4, 1_800.999999, 1_801)]
)


@st.composite
def histories(draw, kinds, start, zone, now):
    """Events of four days from `start`, and refunds of some of them."""
    found = []
    at, times = now, moments(start, now)
    for _ in range(draw(st.sampled_from([0, 8, 16, 24]))):
        type, name = draw(st.sampled_from(kinds))
        # Half of them come soon after another, and make visits and ways longer.
        gap = draw(st.none() | GAPS)
        at = draw(times) if gap is None else min(now + DAY, at + gap)
        amount = draw(st.sampled_from([None, *map(Decimal, AMOUNTS)]))
        event = Raw(
            type,
            name,
            at.astimezone(ZoneInfo(zone)).date(),
            at,
            draw(st.sampled_from([-1, 1, 1, 1])),
            draw(st.sampled_from(LABELS)),
            None if type == "pageview" else draw(st.sampled_from([None, "/", "/b"])),
            amount,
            amount and draw(st.sampled_from([None, "EUR", "USD", "GBP"])),
            draw(st.sampled_from(PROPS)),
            str(uuid4()),
        )
        found.append(event)
        # Two halves are all that can be given back.
        for _ in range(draw(st.integers(0, 2)) if amount else 0):
            then = draw(times)
            day = then.astimezone(ZoneInfo(zone)).date()
            half = -amount / 2
            found.append(event._replace(refunds=True, at=then, day=day, amount=half))
    return found


def moments(start, now):
    """Around full hours, where a bucket or a day ends, and around `now`.

    At most a day ahead, as events may be.
    """
    midnight = datetime.combine(start, time.min, UTC)
    hour = st.integers(-12, 4 * 24 + 12) | st.sampled_from([12, 36])
    second = st.sampled_from([0, 0, 1_800, 3_599.999999])
    on_the_hour = st.builds(
        lambda hour, second: min(
            now + DAY, midnight + timedelta(hours=hour, seconds=second)
        ),
        hour,
        second,
    )
    # "Right now" has five minutes, the first moment not among them.
    recent = st.sampled_from([-301, -300, -299.999999, 0, 1])
    return on_the_hour | recent.map(lambda second: now + timedelta(seconds=second))


def keep(site, history):
    """Store what was sent; refunds come after what they refund."""
    for raw in history:
        amount = None if raw.amount is None else events.to_amount(raw.amount)
        if raw.refunds:
            new = events.NewRefund(raw.day, raw.at, raw.event_id, -(amount or 0))
            (outcome,) = events.refund(site.pk, [new])
            assert outcome.is_new, outcome
        else:
            values = {**raw._asdict(), "amount": amount}
            for derived in ("refunds", "entry", "visit", "began", "arrived"):
                del values[derived]
            events.append([events.NewEvent(site_id=site.pk, **values)])


# "": the default, `last`.
ATTRIBUTIONS = st.sampled_from(["", "last", "first", "event"])
