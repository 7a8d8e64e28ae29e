"""Keys without a database: their form, their digest, what they grant."""

import hashlib

import pytest

from analytics.access import tokens


def test_key_has_its_prefix_and_32_random_bytes():
    secret = tokens.new_token()
    assert secret.startswith("kr_live_")
    assert len(secret) == len("kr_live_") + 43
    assert tokens.is_well_formed(secret)


def test_keys_differ():
    assert len({tokens.new_token() for _ in range(1_000)}) == 1_000


def test_digest_is_sha256_of_the_whole_key():
    secret = "kr_live_" + "a" * 43
    assert tokens.digest(secret) == hashlib.sha256(secret.encode()).hexdigest()


def test_what_is_shown_leaves_39_characters_unknown():
    assert tokens.SHOWN_LENGTH == 12
    assert tokens.new_token()[: tokens.SHOWN_LENGTH].startswith("kr_live_")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kr_live_",
        "kr_live_" + "a" * 42,
        "kr_live_" + "a" * 44,
        "kr_live_" + "a" * 42 + "=",
        "kr_live_" + "a" * 42 + "+",
        "kr_live_" + "a" * 42 + "é",
        "kr_live_" + "a" * 43 + "\n",
        " kr_live_" + "a" * 43,
        "KR_LIVE_" + "a" * 43,
        "kr_test_" + "a" * 43,
        "a" * 43,
        "sk_abc123def456",
    ],
)
def test_mangled_key_is_not_well_formed(text):
    assert not tokens.is_well_formed(text)


@pytest.mark.parametrize(
    ("held", "scope", "expected"),
    [
        (["analytics:read"], "analytics:read", True),
        (["analytics:write"], "analytics:write", True),
        # Literally: write does not include read.
        (["analytics:write"], "analytics:read", False),
        (["analytics:read"], "analytics:write", False),
        (["tokens:write"], "tokens:read", False),
        (["analytics:read", "tokens:read"], "tokens:read", True),
        (["*"], "analytics:read", True),
        (["*"], "analytics:write", True),
        (["*"], "tokens:write", True),
        (["*"], "*", True),
        (["analytics:read", "analytics:write"], "*", False),
        (["analytics:*"], "analytics:read", False),
        (["analytics"], "analytics:read", False),
        (["ANALYTICS:READ"], "analytics:read", False),
        (["analytics:read "], "analytics:read", False),
        ([], "analytics:read", False),
    ],
)
def test_scopes_are_taken_literally(held, scope, expected):
    assert tokens.grants(held, scope) is expected
