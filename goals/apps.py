from django.apps import AppConfig


class GoalsConfig(AppConfig):
    name = "goals"
    verbose_name = "Goals"

    def ready(self) -> None:
        from analytics import housekeeping
        from goals.counting.ahead import count_all_ahead

        housekeeping.tasks.append(count_all_ahead)
