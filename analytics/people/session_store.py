"""Django's database sessions, with columns that are shown to their owner."""

from datetime import UTC, datetime
from typing import Any, cast

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from analytics.models import BrowserSession

# The keys of a session's data for its user and times: see `sessions`.
ABOUT = "about"


class SessionStore(DatabaseStore):
    @classmethod
    def get_model_class(cls) -> type[BrowserSession]:
        return BrowserSession

    def create_model_instance(self, data: Any) -> BrowserSession:
        row = cast(BrowserSession, super().create_model_instance(data))
        if (about := data.get(ABOUT)) and SESSION_KEY in data:
            row.user_id = int(data[SESSION_KEY])
            row.uuid = about["uuid"]
            row.browser = about["browser"]
            row.begun_at = datetime.fromtimestamp(about["begun"], UTC)
            row.seen_at = datetime.fromtimestamp(about["seen"], UTC)
        return row
