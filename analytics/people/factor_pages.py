"""Pages of the user's second factor: set it up, renew codes, turn it off.

Each requires the password again: access to a browser that was left open must not be
enough to lock its owner out or to remove the protection.
"""

from typing import Any, cast

import segno
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core import signing
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from analytics.access import attempts, throttling
from analytics.people import second_factor as factors
from analytics.people import sessions
from analytics.people.sign_in import ANY_CODE, WRONG_CODE, CodeField, over_limit

# The seed travels in the form, so that nothing is stored before the code is right.
_SEED_SECONDS = 60 * 60


class _PasswordAndCode(forms.Form):
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = CodeField()

    def __init__(self, user: User, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.user = user

    def clean_password(self) -> None:
        if not self.user.check_password(self.cleaned_data["password"]):
            raise ValidationError(_("This is not your password."))


class SetUpForm(_PasswordAndCode):
    seed = forms.CharField(widget=forms.HiddenInput)

    field_order = ("password", "code", "seed")

    def clean_seed(self) -> str:
        signed, salt = self.cleaned_data["seed"], _salt(self.user)
        try:
            seed: str = signing.loads(signed, salt=salt, max_age=_SEED_SECONDS)
        except signing.BadSignature:
            raise ValidationError(_("Too old.")) from None
        return seed

    def clean(self) -> None:
        """Set up the second factor if everything else is valid. `codes`: the recovery
        codes.
        """
        if self.errors:
            return
        seed, code = self.cleaned_data["seed"], self.cleaned_data["code"]
        self.codes = factors.set_up(self.user, seed, code)
        if self.codes is None:
            self.add_error("code", _("This is not the current code of the app."))


class ConfirmForm(_PasswordAndCode):
    code = CodeField(help_text=ANY_CODE)

    def clean(self) -> None:
        # Only then, because checking a code uses it up.
        if not self.errors and not factors.accepts(
            self.user, self.cleaned_data["code"]
        ):
            self.add_error("code", WRONG_CODE)


def _salt(user: User) -> str:
    return f"second factor of {user.pk}"


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def second_factor(request: HttpRequest) -> HttpResponse:
    user = _user(request)
    if factors.of(user) is not None:
        return _present(request, ConfirmForm(user))
    if request.method != "POST":
        seed = factors.new_seed()
        signed = signing.dumps(seed, salt=_salt(user))
        return _offer(request, SetUpForm(user, initial={"seed": signed}), seed)
    if _is_refused(user):
        return over_limit()
    form = SetUpForm(user, request.POST)
    if "seed" in form.errors:
        text = _("The page has expired. Use the new key below.")
        messages.error(request, text)
        return redirect("second_factor")
    if not form.is_valid():
        return _offer(request, form, form.cleaned_data["seed"])
    sessions.of(user).exclude(pk=request.session.session_key).delete()
    return _codes(request, form.codes or [])


@login_required
@never_cache
@require_POST
def renew_codes(request: HttpRequest) -> HttpResponse:
    user, form = _user(request), ConfirmForm(_user(request), request.POST)
    if _is_refused(user):
        return over_limit()
    if not form.is_valid():
        return _present(request, form)
    return _codes(request, factors.renew_codes(user.second_factor))


@login_required
@never_cache
@require_POST
def turn_off(request: HttpRequest) -> HttpResponse:
    user, form = _user(request), ConfirmForm(_user(request), request.POST)
    if _is_refused(user):
        return over_limit()
    if not form.is_valid():
        return _present(request, form)
    factors.remove(user)
    messages.success(
        request, _("The second factor is off. You sign in with your password only.")
    )
    return redirect("account")


def _is_refused(user: User) -> bool:
    """Return whether there were too many attempts: a person at an open browser must not
    guess.
    """
    limit, minute = settings.RATE_LIMIT_SIGN_IN, throttling.current_minute()
    return attempts.is_refused("second_factor", str(user.pk), limit, minute)


def _offer(request: HttpRequest, form: SetUpForm, seed: str) -> HttpResponse:
    secret, uri = factors.secret(seed), factors.uri(_user(request), seed)
    context = {
        "form": form,
        "uri": uri,
        "qr_code": segno.make(uri).svg_data_uri(scale=5, light="#fff"),
        "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
    }
    return render(request, "people/second_factor.html", context)


def _present(request: HttpRequest, form: ConfirmForm) -> HttpResponse:
    found = factors.of(_user(request))
    if found is None:
        return redirect("second_factor")
    context = {"form": form, "factor": found, "left": found.recovery_codes.count()}
    return render(request, "people/second_factor.html", context)


def _codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    """Show the codes once. A redirect would require storing them."""
    return render(request, "people/recovery_codes.html", {"codes": codes})
