"""What a process remembers for questions keeps its bound, whatever is asked."""

import re
from datetime import UTC, datetime
from pathlib import Path

from analytics.questions.periods import Days
from goals import matching
from goals.counting import matched_names, open_days, stats
from tests.factories import GoalFactory, SiteFactory, store

DOCS = Path(__file__).parents[3] / "docs" / "development.md"


def test_bounds_are_the_documented_ones():
    text = DOCS.read_text().partition("## Memory of a process")[2]
    bounds = {
        file: int(re.sub(r"\D", "", bound.split()[0]))
        for file, bound in re.findall(
            r"\| `(goals/\S+)` \| ([\d,]+ [^|]*)\|", text.partition("\n## ")[0]
        )
    }
    assert bounds == {
        "goals/counting/matched_names.py": matched_names._names.max_length,
        "goals/counting/open_days.py": open_days._tallies.max_length,
        "goals/matching.py": matching.compile_pattern.cache_info().maxsize,
    }


def test_memories_are_full_and_no_more(db, monkeypatch):
    """Twenty sites with three goals each, and room for a tenth of them."""
    monkeypatch.setattr(matched_names._names, "max_length", 500)
    monkeypatch.setattr(open_days._tallies, "max_length", 500)
    today = datetime.now(UTC).date()
    sites = [SiteFactory.create() for _ in range(20)]
    for site in sites:
        for value in ("s", "si", "sig"):
            GoalFactory.create(site=site, match_type="contains", match_value=value)
        for number in range(15):
            store(site, "event", f"sig {number}", visitor=number)
    for _ in range(2):
        for site in sites:
            rows = stats.all_goal_stats(site, Days(today, today))
            assert {(row.conversions, row.unique_conversions) for row in rows} == {
                (15, 15)
            }
            assert matched_names._names.length <= 500
            assert open_days._tallies.length <= 500
    assert matched_names._names.length > 250
    assert open_days._tallies.length > 250


def test_compiled_patterns_have_a_bound():
    for number in range(600):
        matching.compile_pattern(f"a{number}")
    assert matching.compile_pattern.cache_info().currsize == 512
