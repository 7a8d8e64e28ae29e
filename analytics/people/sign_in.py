"""Signing in, with limits on attempts.

An attempt is counted before the password is checked, by address and by account. So
guessing with concurrent requests, from many addresses or for many accounts has no
advantage, and attempts over a limit cost no hashing. A browser that has signed in to
the account before has its own count, so that an attacker cannot lock out the owner.

Users with a second factor enter a code on a separate page after the password. Until
then they are not signed in: the session only stores whose password was correct.
"""

import hashlib
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.contrib.auth.views import LoginView
from django.core import signing
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_protect

from analytics.access import attempts, throttling
from analytics.people import second_factor
from krafter import clock

_KNOWN = "known_browser"
_KNOWN_SECONDS = 180 * 24 * 60 * 60
# The session key for the user whose password was correct.
_PASSWORD_GIVEN = "password_given"  # noqa: S105 - a name
_SECONDS_FOR_THE_CODE = 10 * 60


_View = Callable[[HttpRequest], HttpResponseBase]


class PasswordStep(LoginView):
    template_name = "pages/login.html"

    def form_valid(self, form: Any) -> HttpResponse:
        user: User = form.get_user()
        if second_factor.of(user) is None:
            return super().form_valid(form)
        self.request.session[_PASSWORD_GIVEN] = {
            "user": user.pk,
            "at": int(clock.timestamp()),
            # So that another password ends it.
            "hash": user.get_session_auth_hash(),
        }
        self.request.session.set_expiry(_SECONDS_FOR_THE_CODE)
        query = urlencode({self.redirect_field_name: self.get_success_url()})
        return redirect(f"{reverse('login_code')}?{query}")


_CODE = gettext_lazy("Code")
ANY_CODE = gettext_lazy("A code from your authenticator app, or a recovery code.")
WRONG_CODE = gettext_lazy(
    "This is no code that can be used now. Each works once, and after several wrong"
    " ones there is a pause: wait for the next code, or use a recovery code."
)


class CodeField(forms.CharField):
    """A code of the app, or a recovery code."""

    def __init__(self, **options: Any) -> None:
        attributes = {"autocomplete": "one-time-code", "spellcheck": "false"}
        widget = forms.TextInput(attrs=attributes)
        super().__init__(max_length=40, label=_CODE, widget=widget, **options)


class CodeForm(forms.Form):
    code = CodeField(help_text=ANY_CODE)

    def __init__(self, request: HttpRequest, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.request = request
        self.user = _who_gave_the_password(request)

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        if self.user is None or not second_factor.accepts(self.user, code):
            name = {} if self.user is None else {"username": self.user.get_username()}
            user_login_failed.send(__name__, credentials=name, request=self.request)
            raise ValidationError(WRONG_CODE)
        return code

    def get_user(self) -> User | None:
        return self.user


class CodeStep(LoginView):
    template_name = "people/code.html"
    authentication_form = CodeForm  # type: ignore[assignment]  # asks no password

    def dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        if _who_gave_the_password(request) is None:
            return redirect("login")
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        del self.request.session[_PASSWORD_GIVEN]
        return response


def _who_gave_the_password(request: HttpRequest) -> User | None:
    given = request.session.get(_PASSWORD_GIVEN)
    if given is None or clock.timestamp() - given["at"] > _SECONDS_FOR_THE_CODE:
        return None
    user = User.objects.filter(pk=given["user"], is_active=True).first()
    if user is None:
        return None
    is_same = constant_time_compare(given["hash"], user.get_session_auth_hash())
    return user if is_same else None


def _typed_name(request: HttpRequest) -> str:
    return request.POST.get("username", "")


def _name_from_before(request: HttpRequest) -> str:
    user = _who_gave_the_password(request)
    return "" if user is None else user.get_username()


def _limited(view: _View, name_in: Callable[[HttpRequest], str]) -> _View:
    """Wrap a view that accepts passwords or codes; answer 429 over the limit."""

    @csrf_protect
    def sign_in(request: HttpRequest) -> HttpResponseBase:
        if request.method != "POST":
            return view(request)
        account = _account(name_in(request))
        if _is_refused(request, account):
            return over_limit()
        response = view(request)
        if (
            request.user.is_authenticated
            and response.status_code == 302
            and _known_browser(request, account) is None
        ):
            _know(request, response, _account(request.user.get_username()))
        return response

    return sign_in


sign_in = _limited(PasswordStep.as_view(redirect_authenticated_user=True), _typed_name)
# A signed-in user without access to the admin may sign in as another user.
sign_in_to_admin = _limited(PasswordStep.as_view(next_page="admin:index"), _typed_name)
give_code = _limited(CodeStep.as_view(), _name_from_before)


def _account(name: str) -> str:
    """Return a key for the account: it never distinguishes names that the database's
    look-up treats as equal.
    """
    return hashlib.sha256(name.strip().lower().encode()).hexdigest()


def _is_refused(request: HttpRequest, account: str) -> bool:
    limit, minute = settings.RATE_LIMIT_SIGN_IN, throttling.current_minute()
    if (browser := _known_browser(request, account)) is not None:
        return attempts.is_refused("sign_in_known", browser, limit, minute)
    address = attempts.address(request.META)
    # Not counted for the account: one address could use up the account's limit.
    return attempts.is_refused(
        "sign_in_address", address, limit, minute
    ) or attempts.is_refused("sign_in_account", account, limit, minute)


def _known_browser(request: HttpRequest, account: str) -> str | None:
    """Return the identifier of a browser that has signed in to the account."""
    try:
        return request.get_signed_cookie(_known(), salt=account, max_age=_KNOWN_SECONDS)
    except (KeyError, signing.BadSignature):
        return None


def _known() -> str:
    return f"__Host-{_KNOWN}" if settings.SESSION_COOKIE_SECURE else _KNOWN


def _know(request: HttpRequest, response: HttpResponseBase, account: str) -> None:
    response.set_signed_cookie(
        _known(),
        secrets.token_urlsafe(16),
        salt=account,
        max_age=_KNOWN_SECONDS,
        path="/" if settings.SESSION_COOKIE_SECURE else request.path,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )


def over_limit() -> HttpResponse:
    """Return 429 for too many attempts."""
    seconds = int(throttling.seconds_left()) + 1
    return HttpResponse(
        _("Too many attempts to sign in. Try again in %d seconds.") % seconds,
        status=429,
        content_type="text/plain",
        headers={"Retry-After": str(seconds)},
    )
