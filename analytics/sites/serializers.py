"""Sites and their settings as the API shows them."""

import ipaddress
from zoneinfo import available_timezones

from django.core.validators import RegexValidator
from rest_framework import serializers

from analytics.access.authentication import request_token
from analytics.models import Site
from krafter.fields import StrictModelSerializer, TextField

_MAX_ENTRIES = 100


_is_domain = RegexValidator(
    r"^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\Z",
    "Letters, digits, dots and hyphens only.",
)


class SiteSerializer(StrictModelSerializer):
    id = serializers.UUIDField(source="uuid", read_only=True)

    class Meta:
        model = Site
        fields = ("id", "domain", "name", "site_key", "public_stats", "created_at")
        read_only_fields = ("site_key", "created_at")
        extra_kwargs = {"domain": {"validators": [_is_domain]}}

    def validate_domain(self, value: str) -> str:
        domain = value.lower()
        team = request_token(self.context["request"]).team_id
        others = Site.objects.undeleted().filter(team=team, domain=domain)
        if self.instance is not None:
            others = others.exclude(pk=self.instance.pk)
        if others.exists():
            raise serializers.ValidationError("The team has a site with this domain.")
        return domain


class SiteSettingsSerializer(StrictModelSerializer):
    allowed_hosts = serializers.ListField(
        child=TextField(max_length=253, validators=[_is_domain]),
        max_length=_MAX_ENTRIES,
    )
    excluded_ips = serializers.ListField(
        child=TextField(max_length=64), max_length=_MAX_ENTRIES
    )
    excluded_paths = serializers.ListField(
        child=TextField(max_length=1_024, trim_whitespace=False),
        max_length=_MAX_ENTRIES,
    )

    class Meta:
        model = Site
        fields = (
            "timezone",
            "allowed_hosts",
            "excluded_ips",
            "excluded_paths",
            "honour_dnt",
        )

    def validate_timezone(self, value: str) -> str:
        if value not in available_timezones():
            raise serializers.ValidationError("Not an IANA time zone name.")
        return value

    def validate_allowed_hosts(self, value: list[str]) -> list[str]:
        return [host.lower() for host in value]

    def validate_excluded_ips(self, value: list[str]) -> list[str]:
        for text in value:
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError:
                raise serializers.ValidationError(
                    f"Not an address or network: {text}"
                ) from None
        return value
