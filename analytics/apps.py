from django.apps import AppConfig
from django.core import checks


class AnalyticsConfig(AppConfig):
    name = "analytics"
    verbose_name = "Analytics"

    def ready(self) -> None:
        from django.contrib.auth import signals

        from analytics import housekeeping
        from analytics.access import audit
        from analytics.ingest import country
        from analytics.lifecycle import erasure, size
        from krafter import checks as production

        signals.user_logged_in.connect(audit.sign_in_succeeded)
        signals.user_login_failed.connect(audit.sign_in_failed)
        signals.user_logged_out.connect(audit.signed_out)
        housekeeping.tasks += [erasure.erase_due, size.tell]
        checks.register(country.check)
        checks.register(production.check_production, checks.Tags.security, deploy=True)
