"""A slow recount of what a goal's revenue is made of: `?detail=money`."""

from datetime import date
from decimal import Decimal
from typing import Any

from tests.recount.goals import Rates, Raw, per_euro, revenue, worth


def money(raws: list[Raw], currency: str | None, rates: Rates) -> dict[str, Any] | None:
    """The parts of what some events and refunds are worth in `currency`."""
    if currency is None:
        return None
    raws = [raw for raw in raws if raw.amount is not None]
    gross = revenue([raw for raw in raws if not raw.refunds], currency, rates)
    net = revenue(raws, currency, rates)
    rows = conversions(raws, currency, rates)
    return {
        "currency": currency,
        "gross": gross,
        "refunds": (gross or Decimal()) - (net or Decimal()),
        "net": net,
        "subtotals": [subtotal(code, raws) for code in codes(raws)],
        "converted": [row for row in rows if row["worth"] is not None],
        "unconverted": unconverted(raws, [r for r in rows if r["worth"] is None]),
    }


def codes(raws: list[Raw]) -> list[str | None]:
    """No code comes first."""
    return sorted({raw.currency for raw in raws}, key=lambda code: code or "")


def subtotal(code: str | None, raws: list[Raw]) -> dict[str, Any]:
    own = [raw for raw in raws if raw.currency == code]
    came = [raw for raw in own if not raw.refunds]
    went = [raw for raw in own if raw.refunds]
    return {
        "currency": code,
        "payment_count": len(came),
        "refund_count": len(went),
        "gross": total(came),
        "refunds": -total(went),
        "net": total(own),
    }


def conversions(raws: list[Raw], currency: str, rates: Rates) -> list[dict[str, Any]]:
    """Of each day and foreign currency; worth None where a rate is missing."""
    rows = []
    for day, code in sorted({(raw.day, raw.currency or "") for raw in raws}):
        if code in ("", currency):
            continue
        amount = total(on_day(raws, day, code))
        rows.append(
            {
                "day": f"{day}",
                "currency": code,
                "amount": amount,
                "per_euro": {
                    code: per_euro(day, code, rates),
                    currency: per_euro(day, currency, rates),
                },
                "worth": worth(day, code, amount, currency, rates),
            }
        )
    return rows


def unconverted(raws: list[Raw], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    left = [
        raw
        for row in rows
        for raw in on_day(raws, date.fromisoformat(row["day"]), row["currency"])
    ]
    parts = [
        (code, [raw for raw in left if raw.currency == code]) for code in codes(left)
    ]
    return [
        {"currency": code, "count": len(own), "amount": total(own)}
        for code, own in parts
    ]


def on_day(raws: list[Raw], day: date, code: str) -> list[Raw]:
    return [raw for raw in raws if (raw.day, raw.currency) == (day, code)]


def total(raws: list[Raw]) -> Decimal:
    return sum((raw.amount or Decimal() for raw in raws), Decimal())
