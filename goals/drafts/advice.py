"""Hints about a draft rule, and goals that overlap with it."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from analytics import events
from goals.counting.matched_names import matching_names_of_each
from goals.drafts.hints import Hint, hints
from goals.matching import Rule, exact_names, matching_rules
from goals.models import Goal
from goals.serializers import GoalRule

_SHOWN = 5
_OVERLAPS = 20
# Names read at once, and the number of names, oldest first, compared for similarity.
_CHUNK = 10_000
_LIKELY = 5_000


class CorrectedRule(GoalRule):
    pass


class HintAnswer(msgspec.Struct):
    """A hint about a rule. `names` are the names that the corrected rule matches, or
    otherwise the most similar names.
    """

    code: str
    message: str
    names: list[str]
    corrected: Annotated[
        CorrectedRule | None,
        Meta(
            description="The corrected rule. Null if no correction is certain to help."
        ),
    ]


class OverlapAnswer(msgspec.Struct):
    """Another goal that counts some of the same names, with the number of these names
    and their conversions.

    `relation` says which names the draft counts: the `same` names as the goal, only
    names `within` the goal's, all of the goal's and more (`contains`), or `some` of
    them.
    """

    id: UUID
    name: str
    relation: Literal["same", "within", "contains", "some"]
    names: int
    conversions: int


def advice(
    rule: Rule, selection: events.Selection, own: Collection[int]
) -> list[HintAnswer]:
    """Return the hints that the names of the site confirm. `own`: the names that the
    rule matches.
    """
    found = hints(rule)
    site_id = selection.site_id
    matched = _matching(site_id, {hint.corrected for hint in found if hint.corrected})
    own = set(own)
    # Similar names are only suggested where no certain mistake explains the rule.
    mended = {hint.corrected for hint in found if hint.is_certain}
    covered = own.union(*(matched[rule] for rule in mended if rule))
    answers = []
    for hint in found:
        other = matched.get(hint.corrected, set()) if hint.corrected else set()
        if hint.is_certain:
            more, is_borne_out = other - own, not own
        else:
            more = other - covered
            is_borne_out = bool(more)
        if not is_borne_out or (covered and hint.is_for_nothing_matched):
            continue
        names = _most_frequent(selection, more)
        if not names:
            names = _similar(site_id, hint.corrected or rule)
        answers.append(_shown(hint, names))
    if not answers and not own:
        answers += _unknown(site_id, rule)
    return answers


def _shown(hint: Hint, names: list[str]) -> HintAnswer:
    corrected = hint.corrected and CorrectedRule(*hint.corrected)
    return HintAnswer(hint.code, hint.message, names, corrected)


def _unknown(site_id: int, rule: Rule) -> list[HintAnswer]:
    names = _similar(site_id, rule)
    message = "The site has sent no such name yet."
    corrected = None
    if names and rule.match_type == "exact":
        corrected = CorrectedRule(rule.type, "exact", names[0])
    return [HintAnswer("not_sent", message, names, corrected)]


def _similar(site_id: int, rule: Rule) -> list[str]:
    """Return the names most similar to the rule's value, ignoring case."""
    sent: dict[str, list[str]] = {}
    for _, name in events.names(site_id, rule.event_type, limit=_LIKELY):
        sent.setdefault(name.casefold(), []).append(name)
    close = get_close_matches(rule.match_value.casefold(), sent, n=_SHOWN)
    return [name for folded in close for name in sent[folded]][:_SHOWN]


def _most_frequent(selection: events.Selection, names: Collection[int]) -> list[str]:
    if not names:
        return []
    return [name for name, _ in events.top_names(selection, names, _SHOWN)]


def _matching(site_id: int, rules: Iterable[Rule]) -> dict[Rule, set[int]]:
    """Return the ids of the names that each rule matches, without caching them.

    All rules except exact ones are matched in one pass over the names of a type.
    """
    found: dict[Rule, set[int]] = {rule: set() for rule in rules}
    exact = [rule for rule in found if rule.match_type == "exact"]
    sent = events.named(site_id, list(exact_names(exact)))
    for rule in exact:
        found[rule] = {id for id, type, name in sent if rule.matches(type, name)}
    patterns = [rule for rule in found if rule.match_type != "exact"]
    for event_type in sorted({rule.event_type for rule in patterns}):
        own = [rule for rule in patterns if rule.event_type == event_type]
        after = 0
        while some := events.names(site_id, event_type, after=after, limit=_CHUNK):
            texts = [name for _, name in some]
            for position, numbers in matching_rules(own, texts):
                found[own[position]].update(some[number][0] for number in numbers)
            after = some[-1][0]
    return found


def overlaps(
    draft: Goal, selection: events.Selection, own: Collection[int]
) -> list[OverlapAnswer]:
    """Return the other goals of the site that count some of the names, closest first.

    The edited goal itself is not among them.
    """
    goals = [
        goal
        for goal in draft.site.goals.undeleted()
        if goal.pk != draft.pk and goal.type == draft.type
    ]
    if not goals or not own:
        return []
    names = matching_names_of_each(draft.site_id, {goal.rule for goal in goals})
    mine = set(own)
    shared = [(goal, mine.intersection(names[goal.rule])) for goal in goals]
    closest = sorted(
        ((goal, common) for goal, common in shared if common),
        key=lambda pair: (-len(pair[1]), len(names[pair[0].rule])),
    )[:_OVERLAPS]
    counted = (
        events.daily_each(
            selection, {place: common for place, (_, common) in enumerate(closest)}
        )
        if closest
        else {}
    )
    return [
        OverlapAnswer(
            goal.pk,
            goal.name,
            _relation(len(common), len(mine), len(names[goal.rule])),
            len(common),
            sum(counts.conversions for counts in counted.get(place, {}).values()),
        )
        for place, (goal, common) in enumerate(closest)
    ]


def _relation(
    common: int, mine: int, theirs: int
) -> Literal["same", "within", "contains", "some"]:
    if common == mine == theirs:
        return "same"
    if common == mine:
        return "within"
    return "contains" if common == theirs else "some"
