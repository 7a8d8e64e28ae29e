"""Every answer says what a browser may do with it; whom to tell of weaknesses."""

import re
from pathlib import Path

import pytest
import time_machine
from django.test import Client

from krafter import headers
from tests.analytics.admin.client import key_of, superuser, url
from tests.factories import TeamFactory

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/tokens",
        "/api/v1/nowhere",
        "/api/v1/openapi.json",
        "/robots.txt",
    ],
)
def test_answers_for_programs_may_do_nothing(path):
    answer = Client().get(path)
    assert answer.headers["Content-Security-Policy"] == headers.STRICT
    assert "camera=()" in answer.headers["Permissions-Policy"]


def test_answer_of_the_api_may_do_nothing(owner):
    answer = owner("GET", "/sites")
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"] == headers.STRICT


@pytest.mark.parametrize("path", ["/login", "/api/v1/docs", "/nowhere"])
def test_pages_keep_their_own_policy(path):
    policy = Client().get(path).headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "microphone=()" in Client().get(path).headers["Permissions-Policy"]


def test_admin_runs_no_inline_script(site):
    operator = superuser()
    key = key_of(site.team)
    pages = [
        operator.get("/admin/"),
        operator.get(url("site", "changelist")),
        operator.get(url("site", "change", site.pk)),
        operator.get(url("goal", "add")),
        operator.get(url("apitoken", "change", key.pk)),
        operator.get(url("auditentry", "changelist")),
        operator.post(
            url("apitoken", "add"),
            {"name": "x", "team": site.team.pk, "scopes": ["analytics:read"]},
        ),
        Client().get("/admin/login/"),
    ]
    for page in pages:
        assert page.status_code == 200
        policy = page.headers["Content-Security-Policy"]
        assert policy == headers.ADMIN
        assert "'unsafe-inline'" not in policy.partition("script-src")[2].split(";")[0]
        text = page.content.decode()
        for tag in re.findall(r"<script[^>]*>", text):
            assert " src=" in tag or "application/json" in tag, tag
        assert not re.search(r"<[^>]+ on[a-z]+=", text)
    assert "analytics/replace-url" in pages[6].content.decode()


def test_no_template_of_ours_has_an_inline_script():
    for path in (ROOT / "templates").rglob("*.html"):
        for tag in re.findall(r"<script[^>]*>", path.read_text()):
            assert "src=" in tag or "application/json" in tag, path


# security.txt


@time_machine.travel("2026-03-01T12:00:00Z", tick=False)
def test_security_txt_names_the_contact(settings):
    settings.SECURITY_CONTACT = ["mailto:security@example.com", "https://example.com/r"]
    settings.SECURITY_POLICY = "https://example.com/policy"
    answer = Client().get("/.well-known/security.txt")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.content.decode() == (
        "Contact: mailto:security@example.com\n"
        "Contact: https://example.com/r\n"
        "Expires: 2026-08-28T00:00:00Z\n"
        "Policy: https://example.com/policy\n"
        "Preferred-Languages: en\n"
        "Canonical: http://testserver/.well-known/security.txt\n"
    )


def test_security_txt_is_missing_without_a_contact():
    assert Client().get("/.well-known/security.txt").status_code == 404


def test_scanners_find_keys_by_the_documented_expression():
    text = (ROOT / "docs" / "operations.md").read_text()
    (expression,) = re.findall(r"^    (\\bkr_live_.*)$", text, re.M)
    from analytics.models import ApiToken

    team = TeamFactory.create()
    for _ in range(20):
        _, secret = ApiToken.issue(team=team, name="x", scopes=["*"])
        assert re.findall(expression, f'key = "{secret}"\n') == [secret]
    assert not re.findall(expression, "kr_live_short sk_abc123def456")
