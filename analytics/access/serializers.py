"""API keys as the API shows them."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from analytics.access import tokens
from analytics.access.authentication import request_token
from analytics.models import ApiToken, Site
from krafter.fields import StrictModelSerializer, TextField


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
        held = request_token(self.context["request"]).scopes
        excess = [scope for scope in value if not tokens.grants(held, scope)]
        if excess:
            raise serializers.ValidationError(
                f"Your key does not hold {', '.join(excess)}."
            )
        return sorted(set(value))

    def validate_sites(self, value: list[str] | None) -> list[Site] | None:
        if value is None:
            return None
        visible = Site.objects.visible_to(request_token(self.context["request"]))
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
        own = request_token(self.context["request"])
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

    # The context's `secret`: it is not stored.
    token = serializers.SerializerMethodField()

    class Meta(TokenSerializer.Meta):
        fields = (*TokenSerializer.Meta.fields, "token")

    def get_token(self, token: ApiToken) -> str:
        return str(self.context["secret"])
