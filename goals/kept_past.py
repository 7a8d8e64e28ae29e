"""The sealed days that a goal loses when its rule changes.

The stored counts of sealed days belong to a rule. They cannot be counted for another
rule, because the events are deleted, so the change must be confirmed.
"""

from analytics.models import Site
from goals.matching import Rule
from krafter.errors import Conflict

CONFIRMED = "sealed"


class LosesPast(Conflict):
    """409 for a change that was not confirmed. `reason`: what the goal would lose."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason} Use confirm={CONFIRMED} to change it anyway.")
        self.reason = reason


def refusal(site: Site, before: Rule, after: Rule) -> str | None:
    """Return why a rule should not be changed, or None."""
    if before == after or site.sealed_before is None:
        return None
    return (
        f"Days before {site.sealed_before} are sealed. After a change of its rule, the"
        " goal has no counts there until the old rule is restored."
    )


def check_kept_past(
    site: Site, before: Rule, after: Rule, *, is_confirmed: bool
) -> None:
    """Raise LosesPast if the goal would lose sealed days and this was not confirmed."""
    if not is_confirmed and (reason := refusal(site, before, after)):
        raise LosesPast(reason)
