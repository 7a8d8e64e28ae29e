"""Create an API key from a shell. Only the token goes to stdout, all else to stderr."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from analytics.access import keys, tokens
from analytics.models import Site, Team
from krafter import names


class Command(BaseCommand):
    help = "Make an API key. Only the token goes to stdout; it is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, help="what the key is for")
        parser.add_argument(
            "--scopes",
            required=True,
            help=f"comma separated: {', '.join(tokens.SCOPES)}",
        )
        parser.add_argument("--team", help="its name; the first team if left out")
        parser.add_argument(
            "--site",
            action="append",
            dest="sites",
            metavar="SITE_KEY",
            help="narrow the key to this site; may be repeated",
        )
        parser.add_argument(
            "--expires",
            metavar="DATE|DAYS",
            help="the day on which it ends (at 00:00 UTC), or in how many days",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"].strip()
        if not 0 < len(name) <= 255:
            raise CommandError("--name must have 1 to 255 characters.")
        if not names.is_name(name):
            raise CommandError(f"--name: {names.MESSAGE}")
        team = _team(options["team"])
        with transaction.atomic():
            try:
                token, secret = keys.issue(
                    team=team,
                    name=name,
                    scopes=_scopes(options["scopes"]),
                    sites=_sites(team, options["sites"]),
                    expires_at=_expiry(options["expires"], timezone.now()),
                )
            except keys.TooManyKeys as error:
                raise CommandError(str(error)) from None
        until = f"until {token.expires_at}" if token.expires_at else "without an end"
        self.stderr.write(
            f"{token}, team {team}: {', '.join(token.scopes)}, {until}.",
            self.style.SUCCESS,
        )
        self.stdout.write(secret)


def _scopes(text: str) -> list[str]:
    scopes = sorted({scope.strip() for scope in text.split(",")})
    unknown = [scope for scope in scopes if scope not in tokens.SCOPES]
    if unknown:
        raise CommandError(
            f"Unknown scope {unknown[0]!r}. There are: {', '.join(tokens.SCOPES)}."
        )
    return scopes


def _team(name: str | None) -> Team:
    if name is None:
        return Team.default()
    try:
        return Team.objects.get(name=name)
    except Team.DoesNotExist:
        raise CommandError(f"There is no team called {name!r}.") from None
    except Team.MultipleObjectsReturned:
        raise CommandError(f"Several teams are called {name!r}: rename one.") from None


def _sites(team: Team, keys: list[str] | None) -> list[Site] | None:
    if keys is None:
        return None
    sites = list(team.sites.filter(site_key__in=keys, deleted_at=None))
    for key in set(keys) - {site.site_key for site in sites}:
        raise CommandError(f"Team {team} has no site with the key {key}.")
    return sites


def _expiry(text: str | None, now: datetime) -> datetime | None:
    if text is None:
        return keys.default_end()
    try:
        if text.isdecimal():
            expires_at = now + timedelta(days=int(text))
        else:
            expires_at = datetime.combine(date.fromisoformat(text), time(), UTC)
    except (ValueError, OverflowError):
        raise CommandError(
            f"--expires takes a date (2027-01-31) or a number of days, not {text}."
        ) from None
    if expires_at <= now:
        raise CommandError("--expires must be in the future.")
    return expires_at
