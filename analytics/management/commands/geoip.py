"""Show which country table is used, and its date."""

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analytics.ingest import country


class Command(BaseCommand):
    help = "Show the source, type, build date and age of the country table in use."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--max-age",
            type=int,
            metavar="DAYS",
            help="fail if the table is older",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            about = country.table().about()
        except country.Unusable as error:
            raise CommandError(f"GEOIP_DATABASE: {error}.") from None
        age = (datetime.now(UTC) - about.built).days
        self.stdout.write(f"source  {about.source}")
        self.stdout.write(f"type    {about.type}")
        self.stdout.write(f"built   {about.built:%Y-%m-%d}")
        self.stdout.write(f"age     {age} days")
        limit = options["max_age"]
        if limit is not None and age > limit:
            raise CommandError(f"The table is older than {limit} days.")
