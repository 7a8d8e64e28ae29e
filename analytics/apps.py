from django.apps import AppConfig
from django.core import checks


class AnalyticsConfig(AppConfig):
    name = "analytics"
    verbose_name = "Analytics"

    def ready(self) -> None:
        from analytics.ingest import country

        checks.register(country.check)
