from analytics.admin import audit_trail, drops, events, keys, people, sites

__all__ = ["audit_trail", "drops", "events", "keys", "people", "sites"]
