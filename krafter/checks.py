"""Checks of `check --deploy`: settings that are unsafe in production are errors."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from krafter import env


def check_production(**options: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if not settings.PRODUCTION:
        found.append(
            Error(
                "PRODUCTION is off: cookies and pages would go over plain HTTP",
                id="krafter.E001",
            )
        )
    if settings.DEBUG:
        found.append(Error("DEBUG shows secrets to visitors", id="krafter.E002"))
    if env.is_weak(settings.SECRET_KEY):
        found.append(
            Error(
                "SECRET_KEY is weak: it needs 50 random characters", id="krafter.E003"
            )
        )
    if "*" in settings.ALLOWED_HOSTS:
        found.append(
            Error("ALLOWED_HOSTS allows every host: name your own", id="krafter.E004")
        )
    if any(network.prefixlen == 0 for network in settings.TRUSTED_PROXIES):
        found.append(
            Error(
                "TRUSTED_PROXIES trusts everybody: anyone could claim any address",
                id="krafter.E005",
            )
        )
    if any(network.prefixlen == 0 for network in settings.METRICS_NETWORKS):
        found.append(
            Error("METRICS_NETWORKS shows /metrics to everybody", id="krafter.E006")
        )
    if not settings.RATE_LIMIT_COLLECT:
        found.append(
            Error(
                "RATE_LIMIT_COLLECT is off: one visitor could fill the database",
                id="krafter.E007",
            )
        )
    return found
