"""What a signed-in person may do in which team. Only this module decides it.

Members have a role; operators (superusers) may do everything in every team. The rights
of API keys are their scopes: see `analytics.access.tokens`.
"""

from enum import Enum
from typing import cast

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404

from analytics.models import Membership, Role, Site, SiteQuerySet, Team

# A request's `user`: a signed-in user, or AnonymousUser.
Person = AbstractBaseUser | AnonymousUser


class Deed(Enum):
    """A permission in a team; the value describes it."""

    READ = "see sites, goals, events and statistics"
    CHANGE_GOALS = "create, change, delete and restore goals"
    CHANGE_SITES = "create sites, change them and their settings"
    DELETE_SITES = "delete and restore sites"
    MANAGE_KEYS = "see, create, rename, rotate and revoke API keys"
    MANAGE_MEMBERS = "invite and remove members, change roles, rename the team"
    SEE_AUDIT = "see the audit trail"
    EXPORT = "export and import"
    ERASE = "erase data permanently"


_EDITOR = {Deed.READ, Deed.CHANGE_GOALS, Deed.CHANGE_SITES}
# Owners may do everything, so a permission listed for no other role is theirs.
DEEDS = {
    Role.VIEWER: frozenset({Deed.READ}),
    Role.EDITOR: frozenset(_EDITOR),
    Role.OWNER: frozenset(Deed),
}


def may(user: Person, deed: Deed, team: Team | int) -> bool:
    """Return whether a person may do this in the team (or the team with this id)."""
    if is_operator(user):
        return True
    team_id = team.pk if isinstance(team, Team) else team
    role = _roles(user).get(team_id)
    return role is not None and deed in DEEDS[role]


def may_anywhere(user: Person, deed: Deed) -> bool:
    """Return whether a person may do this in any team."""
    return is_operator(user) or any(
        deed in DEEDS[role] for role in _roles(user).values()
    )


def role_in(user: Person, team: Team) -> Role | None:
    """Return the person's role; None if not a member. Operators count as owners."""
    return Role.OWNER if is_operator(user) else _roles(user).get(team.pk)


def is_operator(user: Person) -> bool:
    return bool(user.is_active and getattr(user, "is_superuser", False))


def teams(user: Person, deed: Deed = Deed.READ) -> QuerySet[Team]:
    """Return the teams in which a person may do this."""
    return Team.objects.filter(_in_teams(user, deed, "pk"))


def sites(user: Person, deed: Deed = Deed.READ) -> SiteQuerySet:
    """Return the sites with which a person may do this, including deleted ones."""
    return Site.objects.filter(_in_teams(user, deed, "team"))


def site_ids(user: Person, deed: Deed = Deed.READ) -> list[int] | None:
    """Return the ids of the sites of `sites`; None: all sites.

    For tables of events: on Citus no statement may join one of them with the sites.
    """
    if is_operator(user):
        return None
    return list(sites(user, deed).values_list("pk", flat=True))


def team_for(user: Person, team_id: int, deed: Deed = Deed.READ) -> Team:
    """Return the team if the person may do this in it.

    Raises Http404 if the team does not exist or the person is not a member, so that the
    two cannot be distinguished. Raises PermissionDenied if the role does not allow it.
    """
    return _checked(user, deed, teams(user).filter(pk=team_id).first())


def site_for(user: Person, site_key: str, deed: Deed = Deed.READ) -> Site:
    """Return the undeleted site with this public key. Raises like `team_for`."""
    # PostgreSQL accepts no NUL in a text.
    found = sites(user).undeleted() if "\0" not in site_key else Site.objects.none()
    site = found.filter(site_key=site_key).select_related("team").first()
    _checked(user, deed, site.team if site else None)
    return cast(Site, site)


def _checked(user: Person, deed: Deed, team: Team | None) -> Team:
    if team is None:
        raise Http404
    if not may(user, deed, team):
        raise PermissionDenied
    return team


def _in_teams(user: Person, deed: Deed, team: str) -> Q:
    """Return the condition on rows whose `team` is one where the person may do this."""
    if is_operator(user):
        return Q()
    own = [id for id, role in _roles(user).items() if deed in DEEDS[role]]
    return Q(**{f"{team}__in": own})


def _roles(user: Person) -> dict[int, Role]:
    """Return the roles by team id.

    Read once per user object; a request's user object lives as long as the request.
    """
    if not user.is_active:
        return {}
    found: dict[int, Role] | None = getattr(user, "_roles", None)
    if found is None:
        own = Membership.objects.filter(user=cast(User, user))
        found = {id: Role(role) for id, role in own.values_list("team_id", "role")}
        vars(user)["_roles"] = found
    return found
