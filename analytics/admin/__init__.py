from analytics.admin import events, keys, people, sites

__all__ = ["events", "keys", "people", "sites"]
