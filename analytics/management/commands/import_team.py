"""Import a team from a stream that `export_team` wrote."""

import shutil
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from analytics.ingest import site_lookup
from analytics.lifecycle import imports
from analytics.lifecycle.parts import Refused


class Command(BaseCommand):
    help = (
        "Take in a team's export. Nothing is changed unless its hash is right; sites"
        " appear when they are whole. An import that was interrupted goes on when it"
        " is repeated, and one that was finished adds nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="path of the file, - for standard input")
        parser.add_argument(
            "--team", help="a team here that gets the sites; a new one if left out"
        )
        parser.add_argument(
            "--new-keys",
            action="store_true",
            help="give sites whose key exists here another key",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with (
                _opened(options["file"]) as file,
                tqdm(unit=" lines", unit_scale=True, disable=None) as bar,
            ):
                sites = imports.load(
                    file,
                    team=options["team"],
                    new_keys=options["new_keys"],
                    progress=bar.update,
                )
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}") from None
        except Refused as error:
            raise CommandError(str(error)) from None
        site_lookup.forget()
        for site in sites:
            done = site.imported
            was = "" if site.site_key == done.key else f", was {done.key}"
            self.stdout.write(
                f"{site.site_key}{was}  {site}: {done.events:,} events,"
                f" {done.refunds:,} refunds"
            )
        self.stdout.write(
            f"{len(sites)} sites of the team {sites[0].team}." if sites else "No sites."
        )


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """Open the file for two reads; standard input is first copied to a file."""
    if path != "-":
        with open(path, "rb") as file:
            yield file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        yield copy
