"""API keys as the API shows them."""

from datetime import datetime
from types import SimpleNamespace
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from analytics.access import keys, tokens
from analytics.access.authentication import request_token
from analytics.models import ApiToken, Site, Team
from krafter.fields import (
    ChoiceField,
    NameField,
    StrictModelSerializer,
    StrictSerializer,
    TextField,
)


def acting_for(team: Team) -> dict[str, Any]:
    """A serializer context with the rights of a key of this team with scope `*`.

    Whether the person may do it is decided before, by `analytics.access.roles`.
    """
    key = ApiToken(team=team, scopes=[tokens.ALL])
    return {"request": SimpleNamespace(auth=key)}


class SiteKeysField(serializers.ListField):
    """The sites a key is narrowed to, by their keys; null for all."""

    child = TextField()

    def get_attribute(self, token: ApiToken) -> list[str] | None:
        if not token.is_narrowed:
            return None
        return [site.site_key for site in token.sites.all()]


class TokenSerializer(StrictModelSerializer):
    """An API key without its secret. A key can only be given scopes and sites that the
    caller has.
    """

    id = serializers.UUIDField(source="uuid", read_only=True)
    name = NameField()
    scopes = serializers.ListField(
        child=ChoiceField(list(tokens.SCOPES)), allow_empty=False
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
                {"sites": ["Your key is restricted to some sites. Choose among them."]}
            )
        if not self.partial and "expires_at" not in attrs:
            default = keys.default_end()
            if default is not None and own.expires_at is not None:
                default = min(default, own.expires_at)
            attrs["expires_at"] = default
        expires_at = attrs.get("expires_at")
        if own.expires_at and (not expires_at or expires_at > own.expires_at):
            raise serializers.ValidationError(
                {"expires_at": ["Must not be later than the end of your own key."]}
            )
        return attrs


class TokensQuerySerializer(StrictSerializer):
    """Without `limit` all keys are listed."""

    limit = serializers.IntegerField(min_value=1, max_value=1_000, required=False)
    after = serializers.UUIDField(
        required=False, help_text="The id of the last key of the previous page."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "after" in attrs and "limit" not in attrs:
            raise serializers.ValidationError({"after": ["Only with a limit."]})
        return attrs


class RevocationQuerySerializer(StrictSerializer):
    made = serializers.BooleanField(
        default=False,
        help_text="Also revoke the keys that this key created, and the"
        " keys that those created.",
    )


class RotationQuerySerializer(StrictSerializer):
    overlap_hours = serializers.IntegerField(
        min_value=0,
        max_value=keys.MAX_OVERLAP_HOURS,
        default=0,
        help_text="How many hours the old secret keeps working. By default it stops"
        " working immediately.",
    )


class IssuedTokenSerializer(TokenSerializer):
    """An API key with its secret, which is shown only in this response."""

    # The context's `secret`: it is not stored.
    token = serializers.SerializerMethodField()

    class Meta(TokenSerializer.Meta):
        fields = (*TokenSerializer.Meta.fields, "token")

    def get_token(self, token: ApiToken) -> str:
        return str(self.context["secret"])
