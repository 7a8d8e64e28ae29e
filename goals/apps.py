from django.apps import AppConfig


class GoalsConfig(AppConfig):
    name = "goals"
    verbose_name = "Goals"

    def ready(self) -> None:
        from analytics import housekeeping
        from analytics.lifecycle import parts
        from goals import copies
        from goals.counting import ahead, labels_ahead

        housekeeping.tasks.append(ahead.count_all_ahead)
        copies.register()
        parts.keepers += [ahead.KEEPER, labels_ahead.KEEPER]
