"""What a goal loses when its rule changes: the days whose events are gone.

What was kept of sealed days was kept of its rule. Under another rule nobody can count
them any more, and so the change must be meant.
"""

from analytics.models import Site
from goals.matching import Rule
from krafter.errors import Conflict

CONFIRMED = "sealed"


def refusal(site: Site, before: Rule, after: Rule) -> str | None:
    """Why a rule should not change, or None."""
    if before == after or site.sealed_before is None:
        return None
    return (
        f"Days before {site.sealed_before} are sealed. After a change of its rule, the"
        " goal has no counts there until the old rule is restored."
    )


def check_kept_past(
    site: Site, before: Rule, after: Rule, *, is_confirmed: bool
) -> None:
    """Raise Conflict if the goal would lose sealed days and that was not confirmed."""
    if not is_confirmed and (reason := refusal(site, before, after)):
        raise Conflict(f"{reason} Use confirm={CONFIRMED} to change it anyway.")
