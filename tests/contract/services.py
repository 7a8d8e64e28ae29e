"""A running service on either database, for programs that are no tests."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.postgres import throwaway
from tests.running import BASE, running

DATABASES = ("SQLite", "PostgreSQL")


_NEW_TEAM = """
from analytics.access import keys, tokens
from analytics.models import Team
team = Team.objects.create(name="Another")
print(keys.issue(team=team, name="owner", scopes=[tokens.ALL])[1])
"""


class Service(NamedTuple):
    origin: str
    secret: str
    manage: Callable[..., str]

    def of_another_team(self) -> "Service":
        """With a key of a new team: the limit of a minute is one for a whole team."""
        printed = self.manage("shell", "--no-imports", "-c", _NEW_TEAM)
        return self._replace(secret=printed.split()[-1])


@contextlib.contextmanager
def service(database: str, limit: int = 0) -> Iterator[Service]:
    """The service with a key that may do everything; `limit`: requests a minute."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = ""
        if database == "PostgreSQL":
            url = stack.enter_context(throwaway())
        api = stack.enter_context(running(folder, kind=url, RATE_LIMIT_API=str(limit)))
        yield Service(api.url.removesuffix(BASE), api.secret, api.manage)
