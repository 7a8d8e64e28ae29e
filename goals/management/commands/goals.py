"""Export the goals of a site as YAML, or replace them from a YAML file."""

import sys
from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import BaseCommand, CommandError, CommandParser
from msgspec.structs import astuple
from rest_framework.exceptions import ValidationError

from analytics.models import Site
from goals.sets.apply import GoalSetSerializer, PlannedGoal, apply, definitions
from krafter.errors import Conflict, Details, Invalid, flat_details
from krafter.names import printable


class Command(BaseCommand):
    help = (
        "Keep goals in a file. `export` writes the goals of a site as YAML to standard"
        " output; `apply` replaces the goals of a site by those of a file. Goals that"
        " are not in the file are deleted; events are kept."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        export = actions.add_parser("export", help="write YAML to standard output")
        apply = actions.add_parser("apply", help="replace the goals by those of a file")
        for action in (export, apply):
            action.add_argument("--site", required=True, help="the site's key, sk_…")
        apply.add_argument("file", help="path of the file, - for standard input")
        apply.add_argument(
            "--confirm-sealed",
            action="store_true",
            help="change rules of goals that have sealed days, which they lose",
        )
        apply.add_argument(
            "--dry-run",
            action="store_true",
            help="print what would change",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        site = Site.objects.undeleted().filter(site_key=options["site"]).first()
        if site is None:
            raise CommandError(f"There is no site with the key {options['site']}.")
        try:
            if options["action"] == "export":
                self.stdout.write(_export(site), ending="")
            else:
                self._apply(
                    site,
                    _read(options["file"]),
                    dry_run=options["dry_run"],
                    is_confirmed=options["confirm_sealed"],
                )
        except ValidationError as error:
            raise CommandError(_sentences(flat_details(error.detail))) from None
        except Conflict as error:
            raise CommandError(f"{error} Use --confirm-sealed.") from None
        except Invalid as error:
            raise CommandError(_sentences(error.details)) from None

    def _apply(
        self, site: Site, content: Any, *, dry_run: bool, is_confirmed: bool
    ) -> None:
        checked = GoalSetSerializer(data=content)
        checked.is_valid(raise_exception=True)
        wanted = checked.validated_data
        plan = apply(
            site,
            wanted["goals"],
            delete_missing=wanted["delete_missing"],
            dry_run=dry_run,
            is_confirmed=is_confirmed,
        )
        for goal in plan.create:
            self.stdout.write(f"+ {_line(goal)}")
        for change in plan.change:
            self.stdout.write(f"- {_line(change.before)}")
            self.stdout.write(f"+ {_line(change.after)}")
        for goal in plan.delete:
            self.stdout.write(f"- {_line(goal)}")
        numbers = [len(part) for part in astuple(plan)]
        done = "{} created, {} changed, {} deleted, {} kept.".format(*numbers)
        self.stdout.write(f"Dry run, nothing changed: {done}" if dry_run else done)


def _export(site: Site) -> str:
    goals = [
        # Fields that are null are left out.
        {field: value for field, value in goal._asdict().items() if value is not None}
        for goal in definitions(site).values()
    ]
    # One line per field, for readable diffs. Control characters are escaped,
    # because the output may be shown in a terminal.
    texts = [text for goal in goals for text in goal.values() if isinstance(text, str)]
    return yaml.safe_dump(
        {"goals": goals},
        sort_keys=False,
        allow_unicode=all(printable(text) == text for text in texts),
        width=sys.maxsize,
    )


def _read(name: str) -> Any:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
        return yaml.safe_load(text)
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise CommandError(f"{name} is not YAML: {error}") from None


def _line(goal: PlannedGoal) -> str:
    currency = f" {goal.currency}" if goal.currency else ""
    line = f"{goal.name}: {goal.type} {goal.match_type} {goal.match_value!r}{currency}"
    return printable(line)


def _sentences(details: Details) -> str:
    return "\n".join(
        printable(f"{name}: {' '.join(said)}") for name, said in details.items()
    )
