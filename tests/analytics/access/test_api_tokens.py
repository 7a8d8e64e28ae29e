"""/api/v1/tokens: a key grants no more than its maker holds, and is shown once."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection

from analytics.access import tokens
from analytics.models import ApiToken
from tests.conftest import ApiClient
from tests.factories import SiteFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 2, 18, 12, 0, 0, 500_000, tzinfo=UTC)
TOKENS = "/api/v1/tokens"
KEYS = [
    "id",
    "name",
    "key_prefix",
    "scopes",
    "sites",
    "created_at",
    "expires_at",
    "last_used_at",
    "revoked_at",
]
READER = {"name": "Report", "scopes": ["analytics:read"]}


@pytest.fixture
def secret_of(owner):
    """Make a key with the owner's; its secret."""

    def secret_of(**fields):
        return owner("POST", TOKENS, {**READER, **fields}).json()["data"]["token"]

    return secret_of


def is_let_in(owner, secret):
    headers = {"Authorization": f"Bearer {secret}"}
    return (
        owner.client.get("/api/v1/analytics/sites", headers=headers).status_code == 200
    )


@time_machine.travel(NOW, tick=False)
def test_key_is_made_and_its_secret_shown(owner):
    response = owner("POST", TOKENS, READER)
    data = response.json()["data"]
    assert response.status_code == 201
    assert list(data) == [*KEYS, "token"]
    assert tokens.is_well_formed(data["token"])
    made = ApiToken.objects.get(uuid=data["id"])
    assert made.digest == tokens.digest(data["token"])
    assert data == {
        "id": str(made.uuid),
        "name": "Report",
        "key_prefix": data["token"][:12],
        "scopes": ["analytics:read"],
        "sites": None,
        "created_at": "2026-02-18T12:00:00Z",
        "expires_at": None,
        "last_used_at": None,
        "revoked_at": None,
        "token": data["token"],
    }
    assert is_let_in(owner, data["token"])


@pytest.mark.usefixtures("log_everything")
def test_secret_is_in_no_later_answer_and_in_no_table(owner, secret_of, caplog):
    secret = secret_of()
    token = ApiToken.objects.get(digest=tokens.digest(secret))
    answers = [
        owner("GET", TOKENS),
        owner("POST", f"{TOKENS}/{token.uuid}/rotate"),
        owner("POST", f"{TOKENS}/{token.uuid}/revoke"),
    ]
    # All but the prefix that recognises it.
    hidden = secret[12:]
    with connection.cursor() as cursor:
        tables = ""
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            tables += str(cursor.fetchall())
    shown = [answer.content.decode() for answer in answers]
    # The rotated one is a new key.
    assert [secret[:12] in text for text in shown] == [True, False, True]
    assert secret[:12] in caplog.text
    assert secret[:12] in tables
    for text in (*shown, caplog.text, tables):
        assert hidden not in text


def test_keys_are_listed_without_secrets(owner, secret_of, site):
    secret_of(sites=[site.site_key])
    listed = owner("GET", TOKENS).json()["data"]
    assert [list(row) for row in listed] == [KEYS, KEYS]
    assert [row["sites"] for row in listed] == [None, [site.site_key]]


def test_list_takes_as_many_queries_as_keys_are_few(owner, secret_of, site):
    for _ in range(5):
        secret_of(sites=[site.site_key])
    owner("GET", TOKENS, queries=3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", None),
        ("name", "x" * 256),
        ("name", 5),
        ("scopes", []),
        ("scopes", None),
        ("scopes", "analytics:read"),
        ("scopes", {"0": "analytics:read"}),
        ("scopes", ["analytics:everything"]),
        ("scopes", ["analytics:read", None]),
        ("scopes", [["analytics:read"]]),
        ("sites", []),
        ("sites", "sk_abc123def456"),
        ("sites", ["sk_unknownunkno"]),
        ("sites", ["a\0b"]),
        ("sites", [5]),
        ("sites", ["sk_abc123def456"] * 2_000),
        ("expires_at", "tomorrow"),
        ("expires_at", 4_102_444_800),
        ("expires_at", "2020-01-01T00:00:00Z"),
        ("expires_at", "9999-12-31T23:59:59-23:59"),
        ("expires_at", "0001-01-01T00:00:00+23:59"),
        ("team", 1),
        ("digest", "x"),
        ("is_narrowed", False),
    ],
)
def test_wrong_field_is_named_and_no_key_is_made(owner, field, value):
    response = owner("POST", TOKENS, {**READER, field: value})
    assert response.status_code == 422
    [name] = response.json()["details"]
    assert name.partition(".")[0] == field
    assert ApiToken.objects.count() == 1


def test_what_is_read_only_is_not_taken(owner):
    sent = {**READER, "id": "x", "key_prefix": "kr_live_aaaa", "revoked_at": None}
    data = owner("POST", TOKENS, sent).json()["data"]
    assert data["key_prefix"] == data["token"][:12]


# No more than is held


@pytest.mark.parametrize(
    ("held", "asked", "granted"),
    [
        (["tokens:write", "analytics:read"], ["analytics:read"], True),
        (["tokens:write"], ["tokens:write"], True),
        (["tokens:write"], ["analytics:read"], False),
        (["tokens:write", "analytics:read"], ["analytics:write"], False),
        (["tokens:write", "analytics:write"], ["analytics:read"], False),
        (["tokens:write"], ["tokens:read"], False),
        (["tokens:write", "analytics:read"], ["*"], False),
        (
            ["tokens:write", "tokens:read", "analytics:read", "analytics:write"],
            ["*"],
            False,
        ),
        (["tokens:write", "analytics:read"], ["analytics:read", "*"], False),
        (["*"], ["*"], True),
        (["*"], ["analytics:read", "tokens:write"], True),
    ],
)
def test_scopes_of_a_new_key_must_be_held(site, client_with, held, asked, granted):
    response = client_with(site.team, *held)(
        "POST", TOKENS, {**READER, "scopes": asked}
    )
    assert response.status_code == (201 if granted else 422)
    if not granted:
        assert list(response.json()["details"]) == ["scopes"]


def test_narrowed_key_makes_keys_of_its_own_sites_only(site, client_with):
    other = SiteFactory.create(team=site.team)
    call = client_with(site.team, "*", sites=[site])
    for sites in (None, [other.site_key], [site.site_key, other.site_key]):
        response = call("POST", TOKENS, {**READER, "sites": sites})
        assert response.status_code == 422
        assert list(response.json()["details"]) == ["sites"]
    assert call("POST", TOKENS, READER).status_code == 422
    made = call("POST", TOKENS, {**READER, "sites": [site.site_key]})
    assert made.json()["data"]["sites"] == [site.site_key]


def test_site_of_another_team_is_unknown(owner, strangers_site, site):
    unknown = owner("POST", TOKENS, {**READER, "sites": ["sk_unknownunkno"]})
    foreign = owner("POST", TOKENS, {**READER, "sites": [strangers_site.site_key]})
    assert foreign.status_code == 422
    assert foreign.json()["details"] == {
        "sites": [f"Unknown site {strangers_site.site_key}."]
    }
    assert unknown.status_code == 422


@time_machine.travel(NOW, tick=False)
def test_new_key_does_not_outlive_its_maker(site, client_with):
    ends = NOW + timedelta(days=10)
    call = client_with(site.team, "*", expires_at=ends)
    for expires_at, status in [
        (None, 422),
        (ends + timedelta(seconds=1), 422),
        (ends, 201),
        (ends - timedelta(days=1), 201),
    ]:
        sent = expires_at and expires_at.isoformat()
        response = call("POST", TOKENS, {**READER, "expires_at": sent})
        assert response.status_code == status
    assert call("POST", TOKENS, READER).status_code == 422


# Revoking


@time_machine.travel(NOW, tick=False)
def test_revoked_key_is_out_for_good(owner, secret_of):
    secret = secret_of()
    token = ApiToken.objects.get(digest=tokens.digest(secret))
    assert is_let_in(owner, secret)
    response = owner("POST", f"{TOKENS}/{token.uuid}/revoke")
    assert response.status_code == 200
    assert list(response.json()["data"]) == KEYS
    assert response.json()["data"]["revoked_at"] == "2026-02-18T12:00:00Z"
    assert not is_let_in(owner, secret)


def test_second_revocation_keeps_the_time_of_the_first(owner, secret_of):
    token = ApiToken.objects.get(digest=tokens.digest(secret_of()))
    url = f"{TOKENS}/{token.uuid}/revoke"
    with time_machine.travel(NOW, tick=False) as clock:
        first = owner("POST", url).json()
        clock.shift(3_600)
        assert (
            owner("POST", url).json()["data"]["revoked_at"]
            == (first["data"]["revoked_at"])
        )


def test_revoked_key_is_still_listed(owner, secret_of):
    token = ApiToken.objects.get(digest=tokens.digest(secret_of()))
    owner("POST", f"{TOKENS}/{token.uuid}/revoke")
    listed = owner("GET", TOKENS).json()["data"]
    assert [row["revoked_at"] is None for row in listed] == [True, False]


@pytest.mark.parametrize("scope", tokens.SCOPES)
@pytest.mark.parametrize("written", [str.lower, str.upper])
def test_key_may_revoke_itself_whatever_its_scope(site, client_with, scope, written):
    call = client_with(site.team, scope)
    token = ApiToken.objects.get()
    own = written(str(token.uuid))
    assert call("POST", f"{TOKENS}/{own}/revoke").status_code == 200
    assert call("POST", f"{TOKENS}/{token.uuid}/revoke").status_code == 401


@pytest.mark.parametrize("scope", tokens.SCOPES.keys() - {"*", "tokens:write"})
def test_key_without_scope_for_keys_does_no_more_than_revoke_itself(
    site, client_with, scope
):
    other, _ = ApiToken.issue(team=site.team, name="other", scopes=[scope])
    call = client_with(site.team, scope)
    own = ApiToken.objects.get(name="test")
    assert call("POST", f"{TOKENS}/{other.uuid}/revoke").status_code == 403
    assert call("POST", f"{TOKENS}/{own.uuid}/rotate").status_code == 403
    assert not ApiToken.objects.exclude(revoked_at=None).exists()


@pytest.mark.parametrize(
    ("held", "scopes", "status"),
    [
        (["tokens:write"], ["tokens:write"], 200),
        (["tokens:write"], ["analytics:read"], 403),
        (["tokens:write", "analytics:read"], ["analytics:read"], 200),
        (["tokens:write", "analytics:read"], ["*"], 403),
        (["*"], ["*"], 200),
    ],
)
def test_key_revokes_what_has_no_scope_that_it_lacks(
    site, client_with, held, scopes, status
):
    other, _ = ApiToken.issue(team=site.team, name="other", scopes=scopes)
    response = client_with(site.team, *held)("POST", f"{TOKENS}/{other.uuid}/revoke")
    assert response.status_code == status
    other.refresh_from_db()
    assert other.is_revoked is (status == 200)


def test_revoking_a_key_ends_what_it_made_if_that_is_asked_for(site, owner, secret_of):
    """A leaked key makes others, and those make more."""
    secret = secret_of(scopes=["*"])
    for name in ("second", "third"):
        body = {**READER, "name": name, "scopes": ["*"]}
        secret = ApiClient(secret)("POST", TOKENS, body).json()["data"]["token"]
    leaked, second, third = ApiToken.objects.exclude(name="test").order_by("pk")
    ApiToken.issue(team=site.team, name="kept", scopes=["*"])
    assert (second.made_by_key, third.made_by_key) == (leaked, second)
    assert third.made_by == second.key_prefix
    url = f"{TOKENS}/{leaked.uuid}/revoke"
    assert owner("POST", f"{url}?made=perhaps").status_code == 422
    owner("POST", url)
    assert ApiToken.objects.exclude(revoked_at=None).count() == 1
    owner("POST", f"{url}?made=true")
    unrevoked = ApiToken.objects.filter(revoked_at=None).order_by("pk")
    assert [key.name for key in unrevoked] == ["test", "kept"]
    maker = ApiToken.objects.get(name="test")
    assert ApiToken.objects.get(pk=third.pk).revoked_by == maker.key_prefix


def test_rotated_key_remembers_which_it_was(owner, secret_of):
    old = ApiToken.objects.get(digest=tokens.digest(secret_of()))
    owner("POST", f"{TOKENS}/{old.uuid}/rotate")
    new = ApiToken.objects.get(rotates=old)
    assert new.made_by == ApiToken.objects.get(name="test").key_prefix


# Bounds, ends and pages


def test_team_has_so_many_keys_in_use(owner, secret_of, monkeypatch):
    monkeypatch.setattr("analytics.access.keys.MAX_KEYS", 3)
    secret_of()
    secret_of()
    response = owner("POST", TOKENS, READER)
    assert response.status_code == 422
    assert "at most 3 keys" in response.json()["details"]["name"][0]
    ApiToken.objects.latest("pk").revoke()
    assert owner("POST", TOKENS, READER).status_code == 201


@time_machine.travel(NOW, tick=False)
def test_key_ends_when_the_setting_says_so(settings, site, owner, client_with):
    settings.KEY_DAYS = 90

    def end(call, **fields):
        made = call("POST", TOKENS, {**READER, **fields}).json()["data"]
        return made["expires_at"]

    assert end(owner) == "2026-05-19T12:00:00Z"
    assert end(owner, expires_at=None) is None
    assert end(owner, expires_at="2026-02-20T00:00:00Z") == "2026-02-20T00:00:00Z"
    short = client_with(site.team, "*", expires_at=NOW + timedelta(days=1))
    assert end(short) == "2026-02-19T12:00:00Z"


def test_list_is_paged_if_that_is_asked_for(owner, secret_of):
    for number in range(4):
        secret_of(name=str(number))
    names, url = [], f"{TOKENS}?limit=2"
    while url:
        answer = owner("GET", url)
        assert list(answer.json()) == ["data"]
        assert len(answer.json()["data"]) <= 2
        names += [row["name"] for row in answer.json()["data"]]
        link = answer.headers.get("Link", "")
        url = link.partition("<")[2].partition(">")[0]
    assert names == ["test", "0", "1", "2", "3"]
    assert "Link" not in owner("GET", TOKENS).headers
    first = ApiToken.objects.get(name="0").uuid
    assert owner("GET", f"{TOKENS}?after={first}").status_code == 422
    unknown = "00000000-0000-4000-8000-000000000000"
    assert owner("GET", f"{TOKENS}?limit=1&after={unknown}").status_code == 422


# Rotating


def test_rotated_key_has_a_new_secret_and_nothing_else_new(owner, secret_of, site):
    secret = secret_of(
        scopes=["analytics:read", "analytics:write"],
        sites=[site.site_key],
        expires_at="2099-01-01T00:00:00Z",
    )
    old = ApiToken.objects.get(digest=tokens.digest(secret))
    response = owner("POST", f"{TOKENS}/{old.uuid}/rotate")
    data = response.json()["data"]
    assert response.status_code == 201
    assert list(data) == [*KEYS, "token"]
    assert data["token"] != secret
    assert data["id"] != str(old.uuid)
    assert data["scopes"] == ["analytics:read", "analytics:write"]
    assert data["sites"] == [site.site_key]
    assert data["expires_at"] == "2099-01-01T00:00:00Z"
    assert is_let_in(owner, data["token"])
    assert not is_let_in(owner, secret)


def test_old_secret_works_for_as_long_as_is_asked_for(owner, secret_of):
    with time_machine.travel(NOW, tick=False):
        old = secret_of(expires_at="2026-03-18T00:00:00Z")
        id = ApiToken.objects.get(digest=tokens.digest(old)).uuid
        new = owner("POST", f"{TOKENS}/{id}/rotate?overlap_hours=24").json()["data"]
    # The end of the new one is that of the key, not of the overlap.
    assert new["expires_at"] == "2026-03-18T00:00:00Z"
    calls = [ApiClient(secret) for secret in (old, new["token"])]
    for hours, statuses in ((23, [200, 200]), (25, [401, 200])):
        with time_machine.travel(NOW + timedelta(hours=hours)):
            assert [call("GET", "/sites").status_code for call in calls] == statuses


def test_overlap_makes_no_key_live_longer(owner, secret_of):
    with time_machine.travel(NOW, tick=False):
        secret_of(expires_at="2026-02-18T18:00:00Z")
        key = ApiToken.objects.get(name="Report")
        owner("POST", f"{TOKENS}/{key.uuid}/rotate?overlap_hours=24")
        key.refresh_from_db()
    assert key.expires_at == datetime(2026, 2, 18, 18, tzinfo=UTC)


@pytest.mark.parametrize("hours", ["-1", "721", "x", "1.5"])
def test_wrong_overlap_is_422_and_rotates_nothing(owner, secret_of, hours):
    secret_of()
    key = ApiToken.objects.get(name="Report")
    path = f"{TOKENS}/{key.uuid}/rotate?overlap_hours={hours}"
    assert list(owner("POST", path).json()["details"]) == ["overlap_hours"]
    assert not ApiToken.objects.filter(rotates=key).exists()


def test_revoked_key_is_not_rotated_back(owner, secret_of):
    token = ApiToken.objects.get(digest=tokens.digest(secret_of()))
    owner("POST", f"{TOKENS}/{token.uuid}/revoke")
    response = owner("POST", f"{TOKENS}/{token.uuid}/rotate")
    assert response.status_code == 422
    assert ApiToken.objects.count() == 2


def test_key_rotates_itself(site, client_with):
    call = client_with(site.team, "tokens:write")
    token = ApiToken.objects.get()
    response = call("POST", f"{TOKENS}/{token.uuid}/rotate")
    assert response.json()["data"]["scopes"] == ["tokens:write"]
    assert call("POST", f"{TOKENS}/{token.uuid}/rotate").status_code == 401


def test_rotating_hands_out_no_more_than_is_held(site, client_with):
    ApiToken.issue(team=site.team, name="root", scopes=["*"])
    root = ApiToken.objects.get()
    response = client_with(site.team, "tokens:write", "analytics:read")(
        "POST", f"{TOKENS}/{root.uuid}/rotate"
    )
    assert response.status_code == 403
    root.refresh_from_db()
    assert root.revoked_at is None


def test_rotating_hands_out_no_longer_life(site, client_with):
    ApiToken.issue(team=site.team, name="lasting", scopes=["analytics:read"])
    lasting = ApiToken.objects.get()
    soon = datetime.now(UTC) + timedelta(days=1)
    call = client_with(site.team, "*", expires_at=soon)
    assert call("POST", f"{TOKENS}/{lasting.uuid}/rotate").status_code == 403


# Narrowed keys among others


@pytest.fixture
def narrowed(site, client_with):
    return client_with(site.team, "*", sites=[site])


@pytest.mark.parametrize("action", ["revoke", "rotate"])
def test_narrowed_key_sees_only_keys_within_its_sites(narrowed, site, action):
    other = SiteFactory.create(team=site.team)
    for name, sites in [
        ("wide", None),
        ("elsewhere", [other]),
        ("both", [site, other]),
        ("within", [site]),
    ]:
        ApiToken.issue(
            team=site.team, name=name, scopes=["analytics:read"], sites=sites
        )
    listed = narrowed("GET", TOKENS).json()["data"]
    assert [row["name"] for row in listed] == ["test", "within"]
    statuses = {
        token.name: narrowed("POST", f"{TOKENS}/{token.uuid}/{action}").status_code
        for token in ApiToken.objects.exclude(name="test")
    }
    done = 200 if action == "revoke" else 201
    assert statuses == {"wide": 404, "elsewhere": 404, "both": 404, "within": done}


def test_what_is_shown_of_a_key_in_text_is_not_its_secret(site):
    token, secret = ApiToken.issue(team=site.team, name="Report", scopes=["*"])
    assert secret[12:] not in f"{token} {token!r} {json.dumps(token.key_prefix)}"
