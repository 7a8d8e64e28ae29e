"""Erase a site, a team, single events, or all events of a visitor."""

from argparse import ArgumentParser
from collections.abc import Iterable
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from analytics.lifecycle import erasure
from analytics.management.commands.export_team import team_called
from analytics.models import Site
from analytics.questions.periods import Days


class Command(BaseCommand):
    help = (
        "Delete for good; nothing brings it back. A site at once, without waiting for"
        " its deletion period; a team with all its sites; events by their `id`; events"
        " of a `visitor_id` on some days. Numbers follow. It can be interrupted and"
        " repeated. Archives, exports and backups are files of yours: delete them too."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--site", help="the key of a site")
        what.add_argument("--team", help="the name of a team")
        what.add_argument(
            "--due", action="store_true", help="sites whose deletion period is over"
        )
        parser.add_argument(
            "--event",
            action="append",
            dest="events",
            metavar="ID",
            help="of the site only this event; may be repeated",
        )
        parser.add_argument("--visitor", help="of the site only this visitor_id")
        parser.add_argument("--from", dest="first", type=date.fromisoformat)
        parser.add_argument("--to", dest="last", type=date.fromisoformat)
        parser.add_argument(
            "--yes", action="store_true", help="do not ask before a site or a team"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["events"] or options["visitor"]:
            self._erase_events(**options)
            return
        with tqdm(unit=" rows", disable=None) as bar:
            if options["team"]:
                team = team_called(options["team"])
                self._ask(f"team {team} with {team.sites.count()} sites", **options)
                rows = erasure.team(team, progress=bar.update)
                self._tell(f"Team {options['team']}", rows)
                return
            sites: Iterable[Site]
            if options["due"]:
                sites = filter(erasure.is_taken, erasure.due())
            else:
                site = _site(options["site"])
                self._ask(f"site {site} ({options['site']})", **options)
                sites = [site]
            for site in sites:
                self._tell(site.site_key, erasure.site(site, progress=bar.update))

    def _ask(self, what: str, *, yes: bool, **options: Any) -> None:
        if not yes and input(f"Erase the {what} for good? [y/N] ").lower() != "y":
            raise CommandError("Nothing was erased.")

    def _tell(self, what: str, rows: int) -> None:
        self.stdout.write(f"{what}: erased, {rows:,} events and refunds")

    def _erase_events(
        self,
        *,
        site: str | None,
        events: list[str] | None,
        visitor: str | None,
        first: date | None,
        last: date | None,
        **options: Any,
    ) -> None:
        if site is None or (events and visitor):
            raise CommandError("Use --site, and --event or --visitor.")
        if events:
            done = erasure.events_with_ids(_site(site), events)
        elif first is None or last is None or last < first:
            raise CommandError("--visitor needs --from and --to, the first day first.")
        else:
            done = erasure.visitor(_site(site), visitor or "", Days(first, last))
        self.stdout.write(
            f"{site}: {done.events:,} events and {done.refunds:,} refunds erased"
        )


def _site(key: str) -> Site:
    site = Site.objects.filter(site_key=key).first()
    if site is None:
        raise CommandError(f"No site has the key {key}.")
    return site
