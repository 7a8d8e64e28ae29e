"""Sites, keys and events as the wire shows them."""

import ipaddress
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from django.core.validators import RegexValidator
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from analytics import events, tokens
from analytics.auth import caller
from analytics.models import ApiToken, Event, EventType, Site
from krafter.api import (
    DayField,
    StrictModelSerializer,
    StrictSerializer,
    TextField,
)

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
        team = caller(self.context["request"]).team_id
        others = Site.objects.live().filter(team=team, domain=domain)
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


class SiteKeysField(serializers.ListField):
    """The sites a key is narrowed to, by their keys; null for all."""

    child = TextField()

    def get_attribute(self, token: ApiToken) -> list[str] | None:
        if not token.is_narrowed:
            return None
        return [site.site_key for site in token.sites.all()]


class TokenSerializer(StrictModelSerializer):
    """A key without its secret. It can be given no more than the caller holds."""

    id = serializers.UUIDField(source="uuid", read_only=True)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(list(tokens.SCOPES)), allow_empty=False
    )
    # A bound, since each is a parameter of one statement.
    sites = SiteKeysField(
        required=False, allow_null=True, allow_empty=False, max_length=1_000
    )

    class Meta:
        model = ApiToken
        fields: tuple[str, ...] = (
            "id",
            "name",
            "key_prefix",
            "scopes",
            "sites",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        )
        read_only_fields = ("key_prefix", "created_at", "last_used_at", "revoked_at")

    def validate_scopes(self, value: list[str]) -> list[str]:
        held = caller(self.context["request"]).scopes
        excess = [scope for scope in value if not tokens.grants(held, scope)]
        if excess:
            raise serializers.ValidationError(
                f"Your key does not hold {', '.join(excess)}."
            )
        return sorted(set(value))

    def validate_sites(self, value: list[str] | None) -> list[Site] | None:
        if value is None:
            return None
        visible = Site.objects.visible_to(caller(self.context["request"]))
        sites = list(visible.filter(site_key__in=value))
        unknown = set(value) - {site.site_key for site in sites}
        if unknown:
            raise serializers.ValidationError(
                [f"Unknown site {key}." for key in sorted(unknown)]
            )
        return sites

    def validate_expires_at(self, value: datetime | None) -> datetime | None:
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError("Must be in the future.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        own = caller(self.context["request"])
        if own.is_narrowed and attrs.get("sites") is None:
            raise serializers.ValidationError(
                {"sites": ["Your key is narrowed to sites: name some of them."]}
            )
        expires_at = attrs.get("expires_at")
        if own.expires_at and (not expires_at or expires_at > own.expires_at):
            raise serializers.ValidationError(
                {"expires_at": ["Must not outlive your own key."]}
            )
        return attrs


class NewTokenSerializer(TokenSerializer):
    """A key in the one answer that shows its secret."""

    token = serializers.CharField(read_only=True)

    class Meta(TokenSerializer.Meta):
        fields = (*TokenSerializer.Meta.fields, "token")


class EventSerializer(serializers.ModelSerializer[Event]):
    """A stored event, in the words in which it was sent."""

    id = serializers.CharField(source="event_id", allow_null=True)
    type = serializers.ChoiceField(EventType.choices, source="name.type")
    name = serializers.CharField(source="name.name")
    timestamp = serializers.DateTimeField(source="at")
    visitor = serializers.SerializerMethodField()
    props = serializers.DictField(allow_null=True)
    revenue = serializers.SerializerMethodField()

    class Meta:
        model = Event
        fields: tuple[str, ...] = (
            "id",
            "type",
            "name",
            "timestamp",
            "visitor",
            "revenue",
            "currency",
            "props",
        )

    def get_visitor(self, event: Event) -> str:
        """A number that stands for the visitor on that day only."""
        return f"{event.visitor & 0xFFFF_FFFF_FFFF_FFFF:016x}"

    @extend_schema_field({"type": ["number", "null"]})
    def get_revenue(self, event: Event) -> Decimal | None:
        return None if event.amount is None else events.from_amount(event.amount)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        labels = {
            label: serializers.CharField(
                source=f"context.{label}", help_text='"" where unknown.'
            )
            for label in events.Labels._fields
        }
        return {**super().get_fields(), **labels}


class EventQuerySerializer(StrictSerializer):
    """The filters of a site's events. `from` and `to` are days, both included."""

    type = serializers.ChoiceField(EventType.choices, required=False)
    name = serializers.CharField(
        required=False, max_length=2_048, trim_whitespace=False
    )
    to = DayField(required=False)
    limit = serializers.IntegerField(min_value=1, max_value=1_000, default=100)
    cursor = serializers.CharField(required=False)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # `from` is a word of Python's, so that it cannot be declared above.
        return {**super().get_fields(), "from": DayField(required=False)}
