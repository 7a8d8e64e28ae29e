"""A second factor: codes of an authenticator app (TOTP, RFC 6238).

The app's secret is derived from a random seed in the database with DATA_KEY, so that
the database alone is not enough to create codes. Recovery codes are stored as digests.
"""

import base64
import hashlib
import hmac
import secrets

import pyotp
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from analytics.access import audit
from analytics.models import RecoveryCode, SecondFactor
from krafter import clock

ISSUER = "Krafter Analytics"
STEP_SECONDS = 30
# The clock of a phone may be wrong by one step.
_TOLERATED_STEPS = 1
RECOVERY_CODES = 10
# Wrong codes without a pause; then each doubles it, up to an hour. At that pace a
# million codes, of which three are right, take more than ten years.
_FREE_FAILURES = 3
_LONGEST_PAUSE_SECONDS = 3_600


def of(user: User) -> SecondFactor | None:
    return SecondFactor.objects.filter(user=user).first()


# Setting it up


def new_seed() -> str:
    return secrets.token_hex(20)


def secret(seed: str) -> str:
    """Return the secret for the app, in base32."""
    message = f"second factor\0{seed}".encode()
    digest = hmac.digest(settings.DATA_KEY.encode(), message, "sha256")
    return base64.b32encode(digest[:20]).decode()


def uri(user: User, seed: str) -> str:
    """Return the URI in the QR code, with the secret and the user's name."""
    totp = pyotp.TOTP(secret(seed), interval=STEP_SECONDS)
    return totp.provisioning_uri(name=user.get_username(), issuer_name=ISSUER)


def set_up(user: User, seed: str, code: str) -> list[str] | None:
    """Turn on the second factor; return the recovery codes, None for a wrong code."""
    step = _step_of(seed, code, newer_than=0)
    if step is None:
        return None
    with transaction.atomic():
        SecondFactor.objects.filter(user=user).delete()
        factor = SecondFactor.objects.create(user=user, seed=seed, last_step=step)
        audit.record_of_user("second_factor.set_up", user)
        return _new_codes(factor)


def renew_codes(factor: SecondFactor) -> list[str]:
    """Replace the recovery codes, and return the new ones."""
    with transaction.atomic():
        factor.recovery_codes.all().delete()
        audit.record_of_user("second_factor.codes_renewed", factor.user)
        return _new_codes(factor)


def remove(user: User) -> bool:
    """Turn off the second factor; return whether there was one."""
    with transaction.atomic():
        removed = SecondFactor.objects.filter(user=user).delete()[0] > 0
        if removed:
            audit.record_of_user("second_factor.removed", user)
    return removed


# Checking codes


def accepts(user: User, code: str) -> bool:
    """Return whether this is a valid code of the user. A code is accepted once."""
    with transaction.atomic():
        # The lock makes a code valid only once, and serialises guesses.
        locked = SecondFactor.objects.select_for_update()
        factor = locked.filter(user=user).first()
        if factor is None:
            return False
        return _is_recovery(factor, code) or _is_of_app(factor, code)


def _is_of_app(factor: SecondFactor, code: str) -> bool:
    now = clock.timestamp()
    if now < factor.paused_until:
        return False
    step = _step_of(factor.seed, code, newer_than=factor.last_step)
    if step is not None:
        factor.last_step, factor.failures = step, 0
    else:
        factor.failures += 1
        # An exponent of hundreds would overflow.
        doublings = min(max(0, factor.failures - _FREE_FAILURES), 12)
        pause = min(2**doublings, _LONGEST_PAUSE_SECONDS) if doublings else 0
        factor.paused_until = int(now) + pause
    factor.save(update_fields=["last_step", "failures", "paused_until"])
    return step is not None


def _step_of(seed: str, code: str, *, newer_than: int) -> int | None:
    """Return the time step of this code, if it is currently valid."""
    typed, hotp = _plain(code), pyotp.HOTP(secret(seed))
    now = int(clock.timestamp()) // STEP_SECONDS
    for step in range(now - _TOLERATED_STEPS, now + _TOLERATED_STEPS + 1):
        if step > newer_than and hmac.compare_digest(hotp.at(step), typed):
            return step
    return None


def _new_codes(factor: SecondFactor) -> list[str]:
    # 80 random bits: more than can be guessed, so that a fast digest suffices.
    codes = [
        base64.b32encode(secrets.token_bytes(10)).decode().lower()
        for _ in range(RECOVERY_CODES)
    ]
    RecoveryCode.objects.bulk_create(
        RecoveryCode(factor=factor, digest=_digest(code)) for code in codes
    )
    return ["-".join(code[at : at + 4] for at in range(0, 16, 4)) for code in codes]


def _is_recovery(factor: SecondFactor, code: str) -> bool:
    # The request that deletes the row uses the code.
    found = factor.recovery_codes.filter(digest=_digest(_plain(code)))
    if not found.delete()[0]:
        return False
    left = factor.recovery_codes.count()
    changes = {"codes_left": [left + 1, left]}
    audit.record_of_user("second_factor.recovery_code_used", factor.user, changes)
    return True


def _plain(code: str) -> str:
    """Return the code without spaces and hyphens."""
    kept = "".join(code.split()).replace("-", "").lower()
    return kept if kept.isascii() else ""


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
