"""Invite, change and remove members of a team. A team always has an owner."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta

from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from analytics.access import audit, roles
from analytics.access.roles import Deed
from analytics.models import Invitation, Membership, Role, Team
from analytics.people import second_factor
from krafter import names

INVITATION_DAYS = 7
# More open invitations would only be forgotten.
MAX_INVITATIONS = 100
NEEDS_OWNER = gettext_lazy("A team needs an owner. Make another member an owner first.")


def invite(team: Team, role: Role, note: str) -> tuple[Invitation, str]:
    """Return a new invitation and the secret of its link, which is not stored.

    Raises ValidationError for a note that is not a line of text, and if there are too
    many open invitations.
    """
    if note and not names.is_name(note):
        raise ValidationError(names.MESSAGE)
    with transaction.atomic():
        _locked(team)
        if open_invitations(team).count() >= MAX_INVITATIONS:
            text = _("A team has at most %d open invitations.")
            raise ValidationError(text % MAX_INVITATIONS)
        secret = secrets.token_urlsafe(32)
        invitation = team.invitations.create(
            role=role,
            note=note,
            digest=_digest(secret),
            expires_at=timezone.now() + timedelta(days=INVITATION_DAYS),
        )
        changes = audit.made({"role": role, "for": note})
        audit.record("invitation.created", invitation, changes=changes)
    return invitation, secret


def open_invitations(team: Team) -> QuerySet[Invitation]:
    return team.invitations.filter(expires_at__gt=timezone.now())


def withdraw(invitation: Invitation) -> None:
    with transaction.atomic():
        audit.record("invitation.withdrawn", invitation)
        invitation.delete()


def invitation(secret: str) -> Invitation | None:
    """Return the open invitation with this secret."""
    found = Invitation.objects.filter(
        digest=_digest(secret), expires_at__gt=timezone.now()
    )
    return found.select_related("team").first()


def join(invitation: Invitation, user: User) -> None:
    """Use the invitation. A member keeps the higher of both roles.

    Raises ValidationError if the invitation has been used in the meantime.
    """
    with transaction.atomic():
        team = _locked(invitation.team)
        # The request that deletes the row joins: an invitation works only once.
        if not Invitation.objects.filter(pk=invitation.pk).delete()[0]:
            raise ValidationError(_("This invitation has been used."))
        role = Role(invitation.role)
        own = team.memberships.filter(user=user).first()
        before = None if own is None else Role(own.role)
        if own is None:
            team.memberships.create(user=user, role=role)
        elif roles.DEEDS[role] > roles.DEEDS[Role(own.role)]:
            own.role = role
            own.save(update_fields=["role"])
        changes = {
            "user": [before and user.get_username(), user.get_username()],
            "role": [before, role if own is None else own.role],
        }
        audit.record("member.joined", team, changes=changes)


def change_role(membership: Membership, role: Role) -> None:
    """Raises ValidationError if the team would have no owner."""
    with transaction.atomic():
        own = _present(membership)
        before, own.role = own.role, role
        own.save(update_fields=["role"])
        if before == Role.OWNER:
            _check_owner(own.team)
        audit.record("member.changed", own, changes={"role": [before, role]})


def remove(membership: Membership) -> None:
    """Raises ValidationError if the team would have no owner."""
    with transaction.atomic():
        own = _present(membership)
        audit.record("member.removed", own, changes={"role": [own.role, None]})
        own.delete()
        if own.role == Role.OWNER:
            _check_owner(own.team)


def owners(team: Team) -> QuerySet[Membership]:
    """Return the active owners of a team."""
    return team.memberships.filter(role=Role.OWNER, user__is_active=True)


def left_without_owner(users: Iterable[User]) -> list[Team]:
    """Return the teams that would lose their last owner with these users.

    Call it in a transaction, so that no other owner leaves in the meantime.
    """
    gone = [user.pk for user in users]
    own = Membership.objects.filter(user__in=gone, role=Role.OWNER)
    teams = Team.objects.filter(pk__in=own.values("team")).order_by("pk")
    locked = list(teams.select_for_update())
    return [t for t in locked if not owners(t).exclude(user__in=gone).exists()]


def may_reset_password(actor: User, user: User) -> bool:
    """Return whether the actor may create a link that sets the user's password.

    An owner may only do so if they own all teams of the user, because the link gives
    access to all of them.
    """
    if roles.is_operator(actor):
        return True
    if user.is_superuser or user.is_staff or actor == user:
        return False
    theirs = user.memberships.values_list("team_id", flat=True)
    return bool(theirs) and all(
        roles.may(actor, Deed.MANAGE_MEMBERS, team_id) for team_id in theirs
    )


class _PasswordLinks(PasswordResetTokenGenerator):
    """Tokens that become invalid when the conditions for the link change.

    Its creator may cease to be an owner, or the user may become an operator or join
    another team, and the link would then give access to that as well.
    """

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        teams = user.memberships.order_by("team").values_list("team", flat=True)
        owners = Membership.objects.filter(team__in=teams, role=Role.OWNER)
        rights = [
            *(user.is_active, user.is_staff, user.is_superuser, list(teams)),
            list(owners.order_by("team", "user").values_list("team", "user")),
        ]
        return f"{super()._make_hash_value(user, timestamp)}{rights}"


password_links = _PasswordLinks()


def remove_second_factor(user: User) -> bool:
    """Remove a lost second factor; return whether there was one. All sessions are
    ended.
    """
    with transaction.atomic():
        removed = second_factor.remove(user)
        if removed:
            user.browser_sessions.all().delete()
    return removed


def _locked(team: Team) -> Team:
    """Lock the team: two owners who leave at the same time must not leave it without
    one.
    """
    return Team.objects.select_for_update().get(pk=team.pk)


def _present(membership: Membership) -> Membership:
    """Return the current membership, with its team locked. Raises ValidationError if it
    was removed.
    """
    team = _locked(membership.team)
    own = team.memberships.select_related("user").filter(pk=membership.pk).first()
    if own is None:
        raise ValidationError("This member has already been removed.")
    return own


def _check_owner(team: Team) -> None:
    if not owners(team).exists():
        raise ValidationError(NEEDS_OWNER)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
