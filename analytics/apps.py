from django.apps import AppConfig
from django.core import checks


class AnalyticsConfig(AppConfig):
    name = "analytics"
    verbose_name = "Analytics"

    def ready(self) -> None:
        from analytics.ingest import country
        from krafter import checks as production

        checks.register(country.check)
        checks.register(production.check_production, checks.Tags.security, deploy=True)
