"""Who looks at the pages in the tests, and what they look for."""

import re
from collections.abc import Collection

from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Page, expect

from analytics.models import Role, Team

SITE = "sk_abc123def456"
PASSWORD = "a long password of the tests"
DESKTOP = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}
PHONE = {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}
# Headless browsers say so in theirs, and are not counted.
AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/140.0.0.0 Safari/537.36"
)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)

# A frame to lay out in, one for what observes sizes, and the transitions they began.
AT_REST = """async () => {
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  await frame();
  const ends = (each) => each.effect.getComputedTiming().endTime < Infinity;
  const moves = document.getAnimations().filter(ends);
  await Promise.allSettled(moves.map((each) => each.finished));
}"""


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def member(team: Team, name: str = "member", role: Role = Role.VIEWER) -> Client:
    """The browser of a member of the team."""
    user = User.objects.create_user(name)
    team.memberships.create(user=user, role=role)
    return browser_of(user)


def text(response: object) -> str:
    """What a page shows, its white space as single spaces."""
    content: bytes = response.content  # type: ignore[attr-defined]
    return re.sub(r"[ \n]+", " ", content.decode())


def settled(page: Page) -> None:
    """Wait until the parts of the page are there, drawn and at rest."""
    expect(page.locator("[aria-busy]")).to_have_count(0, timeout=20_000)
    page.evaluate(AT_REST)


def violations(page: Page, impacts: Collection[str] | None = None) -> list[str]:
    """What axe-core finds; of these impacts alone, if any are given."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['html'][:200]}"
        for each in found
        if impacts is None or each["impact"] in impacts
        for node in each["nodes"]
    ]
