"""Members of a team: how they come, change and go. A team keeps an owner."""

import hashlib
import secrets
from datetime import timedelta

from django.contrib.auth.models import User
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

INVITATION_DAYS = 7
# More open ones would only be guessed at by nobody and forgotten by everybody.
MAX_INVITATIONS = 100
NEEDS_OWNER = gettext_lazy("A team needs an owner: make somebody else one first.")


def invite(team: Team, role: Role, note: str) -> tuple[Invitation, str]:
    """An invitation and the secret of its link, which cannot be read again.

    Raises ValidationError if there are too many open ones.
    """
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
    """The open invitation with this secret."""
    found = Invitation.objects.filter(
        digest=_digest(secret), expires_at__gt=timezone.now()
    )
    return found.select_related("team").first()


def join(invitation: Invitation, user: User) -> None:
    """Use up the invitation. A member keeps the higher of both roles.

    Raises ValidationError if somebody else has used it meanwhile.
    """
    with transaction.atomic():
        team = _locked(invitation.team)
        # Whoever deletes the row has it: the invitation holds once.
        if not Invitation.objects.filter(pk=invitation.pk).delete()[0]:
            raise ValidationError(_("This invitation has been used."))
        role = Role(invitation.role)
        own = team.memberships.filter(user=user).first()
        if own is None:
            team.memberships.create(user=user, role=role)
        elif roles.DEEDS[role] > roles.DEEDS[Role(own.role)]:
            own.role = role
            own.save(update_fields=["role"])
        changes = audit.made({"user": user.get_username(), "role": role})
        audit.record("member.joined", team, changes=changes)


def change_role(membership: Membership, role: Role) -> None:
    """Raises ValidationError if the team would be without an owner."""
    with transaction.atomic():
        team = _locked(membership.team)
        before = membership.role
        membership.role = role
        membership.save(update_fields=["role"])
        _check_owner(team)
        changes = {"role": [before, role]}
        audit.record("member.changed", membership, changes=changes)


def remove(membership: Membership) -> None:
    """Raises ValidationError if the team would be without an owner."""
    with transaction.atomic():
        team = _locked(membership.team)
        audit.record("member.removed", membership)
        membership.delete()
        _check_owner(team)


def may_reset_password(actor: User, user: User) -> bool:
    """Whether the actor may make a link that sets the user's password.

    An owner may only where he owns all teams of the user: the link opens them all.
    """
    if roles.is_operator(actor):
        return True
    if user.is_superuser or user.is_staff or actor == user:
        return False
    theirs = user.memberships.values_list("team_id", flat=True)
    return bool(theirs) and all(
        roles.may(actor, Deed.MANAGE_MEMBERS, team_id) for team_id in theirs
    )


def remove_second_factor(user: User) -> bool:
    """For who has lost it; whether there was one. The lost device is signed out."""
    with transaction.atomic():
        removed = second_factor.remove(user)
        if removed:
            user.browser_sessions.all().delete()
    return removed


def _locked(team: Team) -> Team:
    """Two owners who leave at once must not leave a team without one."""
    return Team.objects.select_for_update().get(pk=team.pk)


def _check_owner(team: Team) -> None:
    if not team.memberships.filter(role=Role.OWNER).exists():
        raise ValidationError(NEEDS_OWNER)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
