from analytics.admin import drops, events, keys, people, sites

__all__ = ["drops", "events", "keys", "people", "sites"]
