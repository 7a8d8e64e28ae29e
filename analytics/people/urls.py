"""Sign-in and sign-out, the user's account, and the members of a team."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from analytics.people import factor_pages, views
from analytics.people.sign_in import give_code, sign_in

_TEAM = "teams/<int:team>"
_FACTOR = "account/second-factor"

urlpatterns = [
    path("login", sign_in, name="login"),
    path("login/code", give_code, name="login_code"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("account", views.account, name="account"),
    path("account/password", views.ChangePassword.as_view(), name="password_change"),
    path("account/sessions/end", views.end_other_sessions, name="end_other_sessions"),
    path("account/sessions/<uuid:uuid>/end", views.end_session, name="end_session"),
    path(_FACTOR, factor_pages.second_factor, name="second_factor"),
    path(f"{_FACTOR}/codes", factor_pages.renew_codes, name="renew_codes"),
    path(f"{_FACTOR}/off", factor_pages.turn_off, name="turn_off_second_factor"),
    path("account/teams/<int:team>/leave", views.leave, name="leave_team"),
    path("password", views.ForgottenPassword.as_view(), name="password_forgotten"),
    path(
        "password/<str:uidb64>/<str:token>",
        views.NewPassword.as_view(),
        name="password_new",
    ),
    path("join/<str:secret>", views.Join.as_view(), name="join"),
    path(_TEAM, views.team, name="team"),
    path(f"{_TEAM}/invite", views.invite, name="invite"),
    path(
        f"{_TEAM}/invitations/<uuid:uuid>/withdraw",
        views.withdraw,
        name="withdraw_invitation",
    ),
    path(f"{_TEAM}/members/<int:member>", views.change_member, name="change_member"),
    path(
        f"{_TEAM}/members/<int:member>/password",
        views.reset_member,
        name="reset_member",
    ),
    path(
        f"{_TEAM}/members/<int:member>/second-factor",
        views.remove_second_factor,
        name="remove_second_factor",
    ),
]
