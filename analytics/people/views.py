"""The pages of an account and of a team's members."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import auth, messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from django.views.generic import FormView

from analytics.access import attempts, audit, roles, throttling
from analytics.access.roles import Deed
from analytics.models import Invitation, Membership, Role, Team
from analytics.people import mail, members, second_factor, sessions
from analytics.people.sign_in import over_limit

View = Callable[..., HttpResponseBase]


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)


# One's own account


@login_required
@require_GET
def account(request: HttpRequest) -> HttpResponse:
    context = {
        "memberships": _user(request).memberships.select_related("team"),
        "sessions": sessions.of(_user(request)),
        "second_factor": second_factor.of(_user(request)),
        "this": request.session.session_key,
    }
    return render(request, "people/account.html", context)


@login_required
@require_POST
def end_session(request: HttpRequest, uuid: str) -> HttpResponse:
    found = get_object_or_404(sessions.of(_user(request)), uuid=uuid)
    if found.session_key == request.session.session_key:
        auth.logout(request)
        return redirect("login")
    found.delete()
    audit.record_of_user("session.ended", _user(request))
    messages.success(request, _("The browser is signed out."))
    return redirect("account")


@login_required
@require_POST
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    others = sessions.of(_user(request)).exclude(pk=request.session.session_key)
    others.delete()
    audit.record_of_user("session.others_ended", _user(request))
    messages.success(request, _("All other browsers are signed out."))
    return redirect("account")


class ChangePassword(auth_views.PasswordChangeView):
    """Signs out all other browsers, because sessions contain a hash of the password."""

    template_name = "people/form.html"
    success_url = reverse_lazy("account")
    extra_context = {
        "title": gettext_lazy("Change your password"),
        "button": gettext_lazy("Change it"),
    }

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        audit.record_of_user("user.password_changed", _user(self.request))
        messages.success(self.request, _("Your password is changed."))
        return response


@login_required
@require_POST
def leave(request: HttpRequest, team: int) -> HttpResponse:
    found = roles.team_for(_user(request), team)
    own: Membership = get_object_or_404(found.memberships, user=_user(request))
    if _is_done(request, lambda: members.remove(own)):
        messages.success(request, _("You have left the team %s.") % own.team)
    return redirect("account")


# Forgotten passwords


class ForgottenPassword(auth_views.PasswordResetView):
    """Sends a link if mail is configured; otherwise says who can create one."""

    template_name = "people/forgotten.html"
    email_template_name = "people/password_mail.txt"
    subject_template_name = "people/password_subject.txt"
    token_generator = members.password_links
    success_url = reverse_lazy("login")
    extra_context = {"has_mail": mail.is_configured}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not mail.is_configured():
            raise Http404
        address, minute = attempts.address(request.META), throttling.current_minute()
        limit = settings.RATE_LIMIT_SIGN_IN
        if attempts.is_refused("password_link", address, limit, minute):
            return over_limit()
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        # The response does not reveal whether the account exists, or a failure.
        text = _("If an account has this address, a link was sent to it.")
        messages.success(self.request, text)
        return super().form_valid(form)


class NewPassword(auth_views.PasswordResetConfirmView):
    """The page of the link. The token is no longer in the address of the form."""

    template_name = "people/new_password.html"
    token_generator = members.password_links
    success_url = reverse_lazy("login")

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        user = cast(User, self.user)
        user.browser_sessions.all().delete()
        audit.record_of_user("user.password_changed", user)
        messages.success(self.request, _("Your password is set. Sign in with it."))
        return response


# Members of a team


def team_page(deed: Deed) -> Callable[[View], View]:
    """Decorate a view of the team in the address, for users with this permission."""

    def decorate(view: View) -> View:
        @login_required
        @never_cache
        @wraps(view)
        def found(request: HttpRequest, team: int, **rest: Any) -> HttpResponseBase:
            return view(request, roles.team_for(_user(request), team, deed), **rest)

        return found

    return decorate


class InvitationForm(forms.Form):
    role = forms.ChoiceField(
        label=gettext_lazy("Role"), choices=Role.choices, initial=Role.VIEWER
    )
    note = forms.CharField(
        max_length=255,
        required=False,
        label=gettext_lazy("For whom"),
        help_text=gettext_lazy(
            "A name or a mail address. If the service can send mail, it sends the"
            " link to the address."
        ),
    )


@team_page(Deed.READ)
@require_GET
def team(request: HttpRequest, team: Team) -> HttpResponse:
    return _team(request, team, InvitationForm())


def _team(
    request: HttpRequest, team: Team, form: forms.Form, **context: Any
) -> HttpResponse:
    may_manage = roles.may(_user(request), Deed.MANAGE_MEMBERS, team)
    rows = [
        (row, may_manage and members.may_reset_password(_user(request), row.user))
        for row in team.memberships.select_related("user__second_factor")
    ]
    context |= {
        "team": team,
        "teams": roles.teams(_user(request)).order_by("name", "pk")[:200],
        "members": rows,
        "roles": Role.choices,
        "may_manage": may_manage,
        "invitations": members.open_invitations(team) if may_manage else [],
        "form": form,
        "days": members.INVITATION_DAYS,
    }
    return render(request, "people/team.html", context)


@team_page(Deed.MANAGE_MEMBERS)
@require_POST
def invite(request: HttpRequest, team: Team) -> HttpResponse:
    form = InvitationForm(request.POST)
    if not form.is_valid():
        return _team(request, team, form)
    role, note = Role(form.cleaned_data["role"]), form.cleaned_data["note"]
    try:
        _invitation, secret = members.invite(team, role, note)
    except ValidationError as error:
        form.add_error(None, error)
        return _team(request, team, form)
    link = request.build_absolute_uri(reverse("join", args=(secret,)))
    is_sent = _is_address(note) and _mail_invitation(team, role, link, note)
    # No redirect: the secret would have to be kept until the next request.
    return _team(
        request,
        team,
        InvitationForm(),
        link=link,
        link_is_for=_("The invitation"),
        link_is_sent=is_sent,
    )


def _mail_invitation(team: Team, role: Role, link: str, address: str) -> bool:
    subject = _("Join %s in Krafter Analytics") % team
    text = _(
        "You are invited to the team %(team)s as %(role)s:\n\n%(link)s\n\n"
        "The link works once, within %(days)d days.\n"
    )
    days = members.INVITATION_DAYS
    values = {"team": team, "role": role.label, "link": link, "days": days}
    return mail.send(subject, text % values, address)


@team_page(Deed.MANAGE_MEMBERS)
@require_POST
def withdraw(request: HttpRequest, team: Team, uuid: str) -> HttpResponse:
    found: Invitation = get_object_or_404(team.invitations, uuid=uuid)
    members.withdraw(found)
    messages.success(request, _("The invitation is withdrawn."))
    return redirect("team", team=team.pk)


@team_page(Deed.MANAGE_MEMBERS)
@require_POST
def change_member(request: HttpRequest, team: Team, member: int) -> HttpResponse:
    """Change a member's role, or `remove` the member."""
    found: Membership = get_object_or_404(team.memberships, pk=member)
    role = request.POST.get("role", "")
    if "remove" in request.POST:
        _is_done(request, lambda: members.remove(found))
    elif role in Role.values:
        _is_done(request, lambda: members.change_role(found, Role(role)))
    else:
        messages.error(request, _("There is no such role."))
    if not roles.teams(User.objects.get(pk=_user(request).pk)).filter(pk=team.pk):
        return redirect("sites")
    return redirect("team", team=team.pk)


@team_page(Deed.MANAGE_MEMBERS)
@require_POST
def reset_member(request: HttpRequest, team: Team, member: int) -> HttpResponse:
    """Show a link with which the member can set a new password, once."""
    user = get_object_or_404(team.memberships, pk=member).user
    if not members.may_reset_password(_user(request), user):
        raise Http404
    audit.record("user.password_link_made", user, team=team)
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    token = members.password_links.make_token(user)
    path = reverse("password_new", args=(uid, token))
    return _team(
        request,
        team,
        InvitationForm(),
        link=request.build_absolute_uri(path),
        link_is_for=_("The new password of %s") % user.get_username(),
    )


@team_page(Deed.MANAGE_MEMBERS)
@require_POST
def remove_second_factor(request: HttpRequest, team: Team, member: int) -> HttpResponse:
    """Remove a member's lost second factor. The password is not changed."""
    user = get_object_or_404(team.memberships, pk=member).user
    if not members.may_reset_password(_user(request), user):
        raise Http404
    members.remove_second_factor(user)
    text = _("The second factor of %s was removed.") % user.get_username()
    messages.success(request, text)
    return redirect("team", team=team.pk)


# The page of an invitation


class Join(FormView):  # type: ignore[type-arg]  # takes none at run time
    """A signed-in user joins; anyone else creates an account."""

    template_name = "people/join.html"
    form_class = UserCreationForm
    success_url = reverse_lazy("sites")

    def dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        found = members.invitation(kwargs["secret"])
        if found is None:
            return _no_invitation(request)
        self.invitation = found
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return super().post(request, *args, **kwargs)
        if _is_done(request, lambda: members.join(self.invitation, _user(request))):
            messages.success(request, _("You have joined %s.") % self.invitation.team)
        return redirect(self.get_success_url())

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            # Do not keep the account if the invitation was used in the meantime.
            with transaction.atomic():
                user = form.save()
                audit.record("user.created", user, team=self.invitation.team)
                members.join(self.invitation, user)
        except ValidationError:
            return _no_invitation(self.request)
        auth.login(
            self.request, user, backend="django.contrib.auth.backends.ModelBackend"
        )
        return super().form_valid(form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(invitation=self.invitation, **kwargs)


def _no_invitation(request: HttpRequest) -> HttpResponse:
    return render(request, "people/no_invitation.html", status=404)


def _is_done(request: HttpRequest, deed: Callable[[], None]) -> bool:
    """Return whether the action succeeded; otherwise show the reason to the user."""
    try:
        deed()
    except ValidationError as error:
        messages.error(request, error.messages[0])
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True
