"""Restore the events that `prune --archive` has archived."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from analytics.ingest import site_lookup
from analytics.lifecycle import parts
from analytics.management.commands.prune import opened
from analytics.models import Site


class Command(BaseCommand):
    help = (
        "Bring back archived events as they were, with their ids, and unseal their"
        " days. It can be interrupted and repeated."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", help="what prune --archive wrote")
        parser.add_argument("--site", help="the key of one site; all of the archive")

    def handle(self, *args: Any, **options: Any) -> None:
        found = opened(options["folder"])
        if not found.files:
            raise CommandError(f"{options['folder']} has no archive.")
        keys = dict.fromkeys(file.site for file in found.files)
        for key in [options["site"]] if options["site"] else keys:
            try:
                self._restore(found, key)
            except parts.Wrong as error:
                raise CommandError(str(error)) from None

    def _restore(self, found: Any, key: str) -> None:
        site = Site.objects.filter(site_key=key).first()
        if site is None:
            raise CommandError(f"No site here has the key {key}.")
        total = sum(file.rows for file in found.of(site))
        with tqdm(total=total, unit=" rows", disable=None) as bar:
            done = found.restore(site, progress=bar.update)
        site_lookup.forget()
        sealed = f"sealed before {done.before}" if done.before else "nothing is sealed"
        self.stdout.write(f"{key}  {done.rows:,} events and refunds back, {sealed}")
        if site.retention_months is not None:
            self.stdout.write(
                f"{key}  has a retention of {site.retention_months} months: the next"
                " prune deletes them again."
            )
