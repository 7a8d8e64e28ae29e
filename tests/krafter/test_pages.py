"""What all pages share: errors, robots, the icon."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from krafter import headers, pages

pytestmark = pytest.mark.django_db


def test_unknown_address_is_a_page():
    response = Client().get("/nowhere")
    assert response.status_code == 404
    assert "<main" in response.content.decode()
    assert response.headers["Content-Security-Policy"] == pages.POLICY


def test_unknown_address_of_the_api_is_json():
    response = Client().get("/api/v1/nowhere")
    assert response.json() == {"error": "Not found"}
    assert response.headers["Content-Security-Policy"] == headers.STRICT


def test_failure_is_a_page_that_asks_nobody(monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError

    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_user("ada"))
    monkeypatch.setattr("goals.pages.sites.render", fail)
    response = client.get("/")
    assert response.status_code == 500
    assert "Something failed" in response.content.decode()
    assert "ada" not in response.content.decode()


def test_form_without_its_token_is_refused_with_a_page():
    response = Client(enforce_csrf_checks=True).post("/login", {"username": "ada"})
    assert response.status_code == 403
    assert "Please try again" in response.content.decode()


def test_admin_keeps_a_policy_of_its_own():
    answer = Client().get("/admin/login/")
    assert answer.headers["Content-Security-Policy"] == headers.ADMIN


def test_robots_and_icon():
    assert Client().get("/robots.txt").content == b"User-agent: *\nDisallow: /\n"
    icon = Client().get("/favicon.ico", follow=True)
    assert icon.headers["Content-Type"].startswith("image/svg+xml")
