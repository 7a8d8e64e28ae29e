"""Serializers of sites and their settings."""

import ipaddress
from typing import Any, ClassVar

from rest_framework import serializers

from analytics import time_zones
from analytics.access.authentication import request_token
from analytics.models import Site
from analytics.sources.hosts import MAX_LENGTH as MAX_HOST
from analytics.sources.hosts import normal, readable
from krafter import names
from krafter.fields import (
    NameField,
    StrictModelSerializer,
    StrictSerializer,
    TextField,
    check_name,
)

_MAX_ENTRIES = 100


# Letters of any script: `münchen.example` is a domain as people type it.
# Written as excluded ASCII characters, which all regex engines read alike.
_LETTER = r"[^\x00-/:-@\[-`{-\x7f\s]"
_LETTER_DOT_HYPHEN = r"[^\x00-,/:-@\[-`{-\x7f\s]"
_HOST = rf"{_LETTER}(?:{_LETTER_DOT_HYPHEN}*{_LETTER})?\.?$"


class HostField(TextField):
    """A host in any script. Characters that names may not have are refused, because
    they could make it look like another host.
    """

    # Only for requests: older hosts are returned unchanged.
    sent_pattern = f"^{_HOST}"
    default_error_messages: ClassVar = {
        "host": "Letters, digits, dots and hyphens only."
    }

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAX_HOST, validators=[self._check], **options)

    def _check(self, text: str) -> None:
        check_name(text)
        if not names.compiled(self.sent_pattern).search(text):
            self.fail("host")


class ExcludedHostField(HostField):
    """The same after an optional `!`."""

    sent_pattern = f"^!?{_HOST}"
    default_error_messages: ClassVar = {
        "host": "Letters, digits, dots and hyphens only, with an optional ! at the"
        " start."
    }


def _host(text: str) -> str:
    """Return the host in lower case and without a trailing dot."""
    host = text.lower().removesuffix(".")
    # Some capitals are two letters in lower case.
    if len(host) > MAX_HOST:
        raise serializers.ValidationError(f"At most {MAX_HOST} characters.")
    return host


class ChannelSerializer(StrictSerializer):
    """A channel rule of the site. An arrival that matches all given values belongs to
    the channel.
    """

    of_several_fields: ClassVar = {"minProperties": 2}

    channel = NameField(max_length=64)
    referrer = TextField(max_length=255, required=False)
    utm_source = TextField(max_length=255, required=False)
    utm_medium = TextField(max_length=255, required=False)
    utm_campaign = TextField(max_length=255, required=False)

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        # In a PATCH, DRF requires nothing of what is nested either.
        if "channel" not in attrs:
            raise serializers.ValidationError({"channel": ["This field is required."]})
        if len(attrs) == 1:
            raise serializers.ValidationError(
                "Name at least one of referrer, utm_source, utm_medium, utm_campaign."
            )
        return attrs


class SiteSerializer(StrictModelSerializer):
    id = serializers.UUIDField(source="uuid", read_only=True)
    domain = HostField()
    name = NameField()

    class Meta:
        model = Site
        fields = ("id", "domain", "name", "site_key", "public_stats", "created_at")
        read_only_fields = ("site_key", "created_at")

    def validate_domain(self, value: str) -> str:
        domain = _host(value)
        team = self._team_id()
        spellings = {domain, normal(domain), readable(domain)}
        others = Site.objects.undeleted().filter(team=team, domain__in=spellings)
        if self.instance is not None:
            others = others.exclude(pk=self.instance.pk)
        if others.exists():
            raise serializers.ValidationError("The team has a site with this domain.")
        return domain

    def _team_id(self) -> int:
        """Return the id of the site's team; for a new site, that of `team` in the
        context or of the key.
        """
        if self.instance is not None:
            return int(self.instance.team_id)
        if (team := self.context.get("team")) is not None:
            return int(team.pk)
        return request_token(self.context["request"]).team_id


class SiteSettingsSerializer(StrictModelSerializer):
    allowed_hosts = serializers.ListField(
        child=HostField(),
        max_length=_MAX_ENTRIES,
    )
    excluded_ips = serializers.ListField(
        child=TextField(max_length=64), max_length=_MAX_ENTRIES
    )
    excluded_paths = serializers.ListField(
        child=TextField(max_length=1_024, trim_whitespace=False),
        max_length=_MAX_ENTRIES,
    )

    excluded_referrers = serializers.ListField(
        child=ExcludedHostField(),
        max_length=_MAX_ENTRIES,
    )
    channels = serializers.ListField(child=ChannelSerializer(), max_length=_MAX_ENTRIES)
    retention_months = serializers.IntegerField(
        min_value=1,
        max_value=1_200,
        allow_null=True,
        help_text="Number of whole months for which events are kept. Null: forever.",
    )

    class Meta:
        model = Site
        fields = (
            "timezone",
            "allowed_hosts",
            "excluded_ips",
            "excluded_paths",
            "excluded_referrers",
            "channels",
            "honour_dnt",
            "retention_months",
        )

    def validate_timezone(self, value: str) -> str:
        if value not in time_zones.names():
            raise serializers.ValidationError("Not an IANA time zone name.")
        return value

    def validate_allowed_hosts(self, value: list[str]) -> list[str]:
        return [_host(host) for host in value]

    def validate_excluded_referrers(self, value: list[str]) -> list[str]:
        return [_host(host) for host in value]

    def validate_excluded_ips(self, value: list[str]) -> list[str]:
        for text in value:
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError:
                raise serializers.ValidationError(
                    f"Not an address or network: {text}"
                ) from None
        return value
