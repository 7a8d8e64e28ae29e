"""The command line: `krafter COMMAND`, or `manage.py COMMAND` in a clone."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from krafter import clock, installation


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "krafter.settings")
    # Django would print its own version.
    if sys.argv[1:] in (["--version"], ["version"]):
        sys.stdout.write(f"krafter {installation.version()}\n")
        return
    clock.source = clock.of_database
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"krafter: {error}")
