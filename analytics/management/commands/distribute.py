"""Distribute the events of sites over the machines of a Citus cluster."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from analytics import distribution
from analytics.models import Site


class Command(BaseCommand):
    help = (
        "Distribute the tables of facts by site over a Citus cluster. Without an"
        " option it checks, then distributes what is not distributed yet."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--shards", type=int, help="how many at first; 32 if Citus is not told"
        )
        other = parser.add_mutually_exclusive_group()
        other.add_argument(
            "--check", action="store_true", help="only say what stands in the way"
        )
        other.add_argument("--isolate", metavar="SITE", help="the key of a site")
        other.add_argument(
            "--rebalance", action="store_true", help="move shards until all hold alike"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if problems := distribution.problems():
            raise CommandError("\n".join(problems))
        try:
            self.stdout.write(self._do(options))
        except DatabaseError as error:
            raise CommandError(str(error).strip()) from error

    def _do(self, options: dict[str, Any]) -> str:
        if options["check"]:
            return "Nothing stands in the way."
        if key := options["isolate"]:
            site = Site.objects.undeleted().filter(site_key=key).first()
            if site is None:
                raise CommandError(f"No site has the key {key}.")
            return f"{key} has shard {distribution.isolate(site.pk)} to itself."
        if options["rebalance"]:
            return f"Job {distribution.rebalance()} moves shards in the background."
        tables = distribution.distribute(options["shards"])
        return f"Distributed: {', '.join(tables) or 'nothing, all tables were.'}"
