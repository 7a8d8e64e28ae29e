"""The traffic of open days, in the memory of a process.

As with labels (see `open_labels`), only the visitors who sent something since the last
answer are counted again.
"""

from datetime import date

from analytics.events.cells import ByDay, DayParts, Group
from analytics.events.label_months import EVERYTHING, Kept
from analytics.events.open_labels import OpenLabels
from analytics.events.selection import Selection
from analytics.events.spans import Changed
from analytics.events.standing import standing
from analytics.events.visits import Traffic, traffic_by_day
from analytics.questions.periods import Days

# In place of a label. Its one value is "", whose events are the visits.
_VISITS = "visits"
_SEEN = frozenset(("",))


def open_traffic(site_id: int, days: Days) -> dict[date, Traffic]:
    """The traffic of each of these open days that had any."""
    found = standing(site_id, closed=None, open=days)
    kept = Kept(site_id, EVERYTHING, "event", b"")
    tally = OpenLabels(kept, [_VISITS], found.ends, found.versions)
    for _, now, before in tally.behind():
        taken = {_VISITS: _counted(before)} if before else {}
        tally.add(now.day, {_VISITS: _counted(now)}, taken)
    return {
        day: Traffic(group.pageviews, parts.visitors[_SEEN], group.times)
        for day, parts in tally.by_day(_VISITS).items()
        for group in parts.groups.values()
    }


def _counted(changed: Changed) -> ByDay:
    selection = Selection(changed.site_id, changed.day, changed.day)
    return {
        day: DayParts({"": Group(visits, pageviews)}, {_SEEN: visitors})
        for day, (pageviews, visitors, visits) in traffic_by_day(
            selection, changed
        ).items()
    }
