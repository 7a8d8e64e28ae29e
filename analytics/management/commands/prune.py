"""Delete events that are older than their site's retention; their counts stay."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from analytics.ingest import site_lookup
from analytics.lifecycle import parts, prune
from analytics.models import Site


class Command(BaseCommand):
    help = (
        "Delete events of sites with a retention (`retention_months` of their"
        " settings) once what they count is kept. What is deleted is whole months."
        " It can be interrupted and repeated at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--site", help="the key of one site; all without it")
        parser.add_argument(
            "--archive",
            metavar="FOLDER",
            help="first write the events to Parquet files there, for `restore`",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be deleted"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        sites = Site.objects.exclude(retention_months=None)
        if options["site"]:
            sites = Site.objects.filter(site_key=options["site"])
            if not sites:
                raise CommandError(f"No site has the key {options['site']}.")
        archive = opened(options["archive"]) if options["archive"] else None
        busy = []
        for site in sites:
            if not self._prune(site, archive, dry_run=options["dry_run"]):
                busy.append(site)
        if busy:
            keys = ", ".join(site.site_key for site in busy)
            raise CommandError(f"Late events kept coming: try again later for {keys}.")

    def _prune(self, site: Site, archive: Any, *, dry_run: bool) -> bool:
        planned = prune.plan(site)
        if planned.before is None:
            self.stdout.write(f"{site.site_key}  keeps events for ever")
            return True
        if dry_run:
            self.stdout.write(
                f"{site.site_key}  {planned.events:,} events and refunds before"
                f" {planned.before} would be deleted"
            )
            return True
        with tqdm(total=planned.events, unit=" rows", disable=None) as bar:
            try:
                show = _on(bar)
                done = prune.prune(
                    site,
                    archive=archive
                    and (
                        lambda site, before: archive.add(
                            site, before, progress=lambda n: show("archived", n)
                        )
                    ),
                    progress=show,
                )
            except prune.Busy:
                return False
            except parts.Wrong as error:
                raise CommandError(f"Nothing was deleted: {error}") from None
        site_lookup.forget()
        self.stdout.write(
            f"{site.site_key}  {done.deleted:,} events and refunds before"
            f" {done.before} deleted"
        )
        return True


def opened(folder: str) -> Any:
    """Open the archive in a folder. Raises CommandError."""
    try:
        from analytics.lifecycle.archive import Archive
    except ModuleNotFoundError:
        raise CommandError(
            "Parquet needs the extra `archive`: pip install 'krafter[archive]'."
        ) from None
    try:
        return Archive(Path(folder))
    except parts.Wrong as error:
        raise CommandError(str(error)) from None


def _on(bar: Any) -> prune.Progress:
    def show(step: str, done: int) -> None:
        if step == "deleted":
            bar.update(done)
        else:
            bar.set_description(step, refresh=True)

    return show
