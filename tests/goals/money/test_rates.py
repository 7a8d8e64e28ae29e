"""manage.py load_rates, and which rate a day takes."""

import io
import sys
from datetime import date
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from goals.models import ExchangeRate
from goals.money.rates import Rates

DAILY = "Date, USD, JPY, ISK, \n23 November 2026, 1.1507, 180.46, 147.10, \n"
HISTORY = (
    "Date,USD,JPY,CYP,TRY,\n"
    "2005-01-04,1.3365,139.78,0.58000,N/A,\n"
    "1999-01-05,1.179,130.96,0.58187,323.48,\n"
)


@pytest.fixture
def load(tmp_path):
    """Load text or bytes; the summary, and with it the number of stored rates."""

    def load(content):
        file = tmp_path / "rates.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        out = io.StringIO()
        call_command("load_rates", str(file), stdout=out)
        return out.getvalue().strip(), ExchangeRate.objects.count()

    return load


@pytest.mark.django_db
def test_daily_file_is_loaded_exactly(load):
    summary, stored = load(DAILY)
    assert stored == 3
    assert summary == (
        "1 days read: 3 new rates, 0 changed. 0 malformed lines ignored."
    )
    rate = ExchangeRate.objects.get(currency="ISK")
    assert (rate.day, rate.rate) == (date(2026, 11, 23), "147.10")
    assert str(rate) == "2026-11-23 ISK 147.10"


@pytest.mark.django_db
def test_history_is_loaded_without_its_blanks(load):
    summary, stored = load(HISTORY)
    assert stored == 7
    assert summary.startswith("2 days read: 7 new")
    assert not ExchangeRate.objects.filter(day="2005-01-04", currency="TRY").exists()


@pytest.mark.django_db
def test_same_file_again_changes_nothing(load):
    load(HISTORY)
    assert load(HISTORY) == (
        "2 days read: 0 new rates, 0 changed. 0 malformed lines ignored.",
        7,
    )


@pytest.mark.django_db
def test_corrected_rate_replaces_the_old_one(load):
    load(HISTORY)
    summary, stored = load(HISTORY.replace("1.3365", "1.3366"))
    assert "0 new rates, 1 changed" in summary
    assert stored == 7
    assert ExchangeRate.objects.get(day="2005-01-04", currency="USD").rate == "1.3366"


@pytest.mark.django_db
def test_day_twice_in_a_file_takes_the_later_line(load):
    load("Date,USD\n2026-01-02,1.1\n2026-01-02,1.2\n")
    assert ExchangeRate.objects.get().rate == "1.2"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "line",
    [
        "2026-02-30,1.1,2",
        "yesterday,1.1,2",
        "2026-01-05,1.1",
        "2026-01-05,1.1,2,3",
        "2026-01-05,0,2",
        "2026-01-05,-1,2",
        "2026-01-05,1e5,2",
        "2026-01-05,NaN,2",
        "2026-01-05,1_0,2",
        "2026-01-05,1.1,9999999999999999",
        "2026-01-05,\x001,2",
        "Date of rain,USD",
    ],
)
def test_malformed_line_is_counted_and_costs_no_other(load, line):
    summary, stored = load(f"Date,USD,JPY\n{line}\n2026-01-06,1.5,2\n")
    assert stored == 2
    assert summary.endswith(" 1 malformed lines ignored.")


@pytest.mark.django_db
def test_undecodable_bytes_spoil_only_their_line(load):
    _, stored = load(b"\xef\xbb\xbfDate,USD\n2026-01-05,\xff\n\n2026-01-06,1.5\n")
    assert stored == 1


@pytest.mark.django_db
@pytest.mark.parametrize("content", ["", "<html>\n", "2026-01-05,1.1\n"])
def test_other_file_is_refused(load, content):
    with pytest.raises(CommandError, match="Not an ECB file"):
        load(content)


@pytest.mark.django_db
def test_missing_file_is_refused():
    with pytest.raises(CommandError, match="No such file"):
        call_command("load_rates", "nowhere.csv")


@pytest.mark.django_db
def test_dash_reads_standard_input(monkeypatch):
    piped = io.TextIOWrapper(io.BytesIO(DAILY.encode()))
    monkeypatch.setattr(sys, "stdin", piped)
    call_command("load_rates", "-", stdout=io.StringIO())
    assert ExchangeRate.objects.count() == 3


@pytest.mark.django_db
def test_more_than_a_batch_is_loaded(load):
    codes = [f"{a}{b}{c}" for a in "ABC" for b in "ABCDE" for c in "ABCDEFGHIJ"]
    days = [date.fromordinal(730_000 + n).isoformat() for n in range(80)]
    lines = [",".join(["Date", *codes])] + [
        ",".join([day, *["1.5"] * len(codes)]) for day in days
    ]
    _, stored = load("\n".join(lines))
    assert stored == 80 * 150


@pytest.mark.parametrize(
    ("day", "rate"),
    [
        ("2026-01-01", None),
        ("2026-01-02", "1.1"),
        ("2026-01-04", "1.1"),
        ("2026-01-05", "1.2"),
        ("2026-01-12", "1.2"),
        ("2026-01-13", None),
    ],
)
def test_day_takes_the_latest_rate_at_most_a_week_old(day, rate):
    rates = Rates(
        {
            ("USD", date(2026, 1, 5)): Decimal("1.2"),
            ("USD", date(2026, 1, 2)): Decimal("1.1"),
        }
    )
    expected = rate and Decimal(rate)
    assert rates.per_euro(date.fromisoformat(day), "USD") == expected
    assert rates.per_euro(date.fromisoformat(day), "JPY") is None
    assert rates.per_euro(date.fromisoformat(day), "EUR") == 1
