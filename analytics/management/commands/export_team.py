"""Export all data of a team as one stream, for another installation."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from analytics.access import audit
from analytics.lifecycle import export
from analytics.models import Team


class Command(BaseCommand):
    help = (
        "Write a team's sites with their settings, goals, events, refunds and kept"
        " days, and exchange rates, as NDJSON. An export into a file that was"
        " interrupted goes on. Salts, API keys and members are left out."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--team", help="its name; the only team if left out")
        parser.add_argument("file", help="path of the file, - for standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        team = team_called(options["team"])
        if options["file"] == "-":
            audit.record("team.exported", team)
            stream = export.Stream(team)
            while not stream.is_complete:
                sys.stdout.buffer.writelines(stream.page())
            sys.stdout.buffer.flush()
            return
        path = Path(options["file"])
        if path.exists():
            raise CommandError(f"{path} exists: name another file.")
        audit.record("team.exported", team)
        try:
            with tqdm(unit=" lines", unit_scale=True, disable=None) as bar:
                stream = export.to_file(team, path, progress=bar.update)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from None
        except export.Changed as error:
            raise CommandError(
                f"{error} Delete {path}.part and export again."
            ) from None
        counts = ", ".join(f"{n:,} {kind}" for kind, n in stream.counts.items())
        self.stdout.write(f"{path}: {counts}")
        self.stdout.write(f"sha256 {stream.hash}")
        for note in export.NOTES:
            self.stdout.write(note)


def team_called(name: str | None) -> Team:
    """Return the team with this name; with None, the only team.

    Raises CommandError unless there is exactly one.
    """
    teams = Team.objects.all() if name is None else Team.objects.filter(name=name)
    found = list(teams[:2])
    if not found:
        raise CommandError(f"There is no team called {name!r}." if name else "No team.")
    if len(found) > 1:
        raise CommandError(
            f"Several teams are called {name!r}: rename one."
            if name
            else "There are several teams: say which with --team."
        )
    return found[0]
