"""Example responses for the OpenAPI document, for operations without an example.

Bodies as they are sent, by operation id.
"""

from typing import Any

EXAMPLES: dict[str, Any] = {
    "sites_list": {
        "data": [
            {
                "id": "9b2f0c52-6c1a-4a5e-9d57-2f4f6c1f7a10",
                "domain": "shop.example",
                "name": "Shop",
                "site_key": "sk_abc123def456",
                "public_stats": False,
                "created_at": "2026-01-05T09:00:00Z",
            }
        ]
    },
    "sites_create": {
        "data": {
            "id": "9b2f0c52-6c1a-4a5e-9d57-2f4f6c1f7a10",
            "domain": "shop.example",
            "name": "Shop",
            "site_key": "sk_abc123def456",
            "public_stats": False,
            "created_at": "2026-01-05T09:00:00Z",
        }
    },
    "sites_retrieve": {
        "data": {
            "id": "9b2f0c52-6c1a-4a5e-9d57-2f4f6c1f7a10",
            "domain": "shop.example",
            "name": "Shop",
            "site_key": "sk_abc123def456",
            "public_stats": False,
            "created_at": "2026-01-05T09:00:00Z",
        }
    },
    "sites_update": {
        "data": {
            "id": "9b2f0c52-6c1a-4a5e-9d57-2f4f6c1f7a10",
            "domain": "shop.example",
            "name": "Web shop",
            "site_key": "sk_abc123def456",
            "public_stats": False,
            "created_at": "2026-01-05T09:00:00Z",
        }
    },
    "settings_retrieve": {
        "data": {
            "timezone": "Europe/Berlin",
            "allowed_hosts": ["shop.example"],
            "excluded_ips": ["192.0.2.0/24"],
            "excluded_paths": ["/admin/*"],
            "excluded_referrers": [],
            "channels": [],
            "honour_dnt": False,
            "retention_months": None,
        }
    },
    "settings_update": {
        "data": {
            "timezone": "Europe/Berlin",
            "allowed_hosts": ["shop.example"],
            "excluded_ips": ["192.0.2.0/24"],
            "excluded_paths": ["/admin/*"],
            "excluded_referrers": [],
            "channels": [],
            "honour_dnt": False,
            "retention_months": None,
        }
    },
    "events_list": {
        "data": [
            {
                "id": "order-1",
                "type": "goal",
                "name": "purchase",
                "timestamp": "2026-02-18T12:34:56Z",
                "visitor": "0f3a5b7c9d1e2f40",
                "revenue": 49.99,
                "currency": "USD",
                "props": {"plan": "pro"},
                "referrer": "Google",
                "utm_source": None,
                "utm_medium": None,
                "utm_campaign": None,
                "country": "DE",
                "device": "Mobile",
                "browser": "Safari",
                "os": "iOS",
                "utm_term": None,
                "utm_content": None,
                "click_id": None,
            }
        ],
        "next_cursor": None,
    },
    "conversions_list": {
        "data": [
            {
                "id": "order-1",
                "type": "goal",
                "name": "purchase",
                "timestamp": "2026-02-18T12:34:56Z",
                "visitor": "0f3a5b7c9d1e2f40",
                "refund_of": None,
                "page": "/cart",
                "entry_path": "/blog/first-post",
                "visit": 1,
                "visit_started_at": "2026-02-18T12:21:09Z",
                "channel": "Search",
                "revenue": 49.99,
                "currency": "USD",
                "props": {"plan": "pro"},
                "referrer": "Google",
                "utm_source": None,
                "utm_medium": None,
                "utm_campaign": None,
                "country": "DE",
                "device": "Mobile",
                "browser": "Safari",
                "os": "iOS",
                "utm_term": None,
                "utm_content": None,
                "click_id": None,
            }
        ],
        "next_cursor": "MTc3MTQxODA5NjAwMDAwMCAxNA==",
    },
    "events_create": {"data": [{"status": "accepted"}]},
    "collect": {"ok": True},
    "sites_stats": {
        "data": {
            "period": {"from": "2026-02-17", "to": "2026-02-18"},
            "totals": {"pageviews": 420, "visitors": 213, "visits": 240},
            "timeseries": [
                {
                    "date": "2026-02-17",
                    "pageviews": 200,
                    "visitors": 103,
                    "visits": 115,
                },
                {
                    "date": "2026-02-18",
                    "pageviews": 220,
                    "visitors": 110,
                    "visits": 125,
                },
            ],
        }
    },
    "sites_realtime": {"data": {"visitors": 4, "pageviews": 9}},
    "sites_drops": {
        "data": {
            "period": {"from": "2026-02-11", "to": "2026-02-18"},
            "drops": [
                {"rule": "crawler", "count": 12},
                {"rule": "prefetch", "count": 0},
                {"rule": "do_not_track", "count": 0},
                {"rule": "foreign_host", "count": 2},
                {"rule": "referrer_spam", "count": 0},
                {"rule": "excluded_ip", "count": 0},
                {"rule": "excluded_path", "count": 0},
            ],
            "foreign_hosts": [{"host": "staging.shop.example", "count": 2}],
            "folded": [
                {"kind": "paths", "count": 0},
                {"kind": "names", "count": 0},
                {"kind": "labels", "count": 0},
            ],
        }
    },
    "goals_retrieve": {
        "data": {
            "id": "550e8400-e29b-41d4-a716-446655440000",
            "name": "Purchase",
            "type": "custom",
            "match_type": "exact",
            "match_value": "purchase",
            "currency": "USD",
        }
    },
    "goals_stats_all": {
        "data": {
            "period": {"from": "2026-02-11", "to": "2026-02-18"},
            "attribution": "last",
            "goals": [
                {
                    "id": "550e8400-e29b-41d4-a716-446655440000",
                    "name": "Purchase",
                    "currency": "USD",
                    "conversions": 342,
                    "unique_conversions": 298,
                    "revenue": 16758.0,
                }
            ],
        }
    },
    "goals_timeseries": {
        "data": {
            "period": {"from": "2026-02-17", "to": "2026-02-18"},
            "interval": "day",
            "timeseries": [
                {
                    "date": "2026-02-17",
                    "conversions": 18,
                    "unique_conversions": 17,
                    "revenue": 882.0,
                },
                {
                    "date": "2026-02-18",
                    "conversions": 0,
                    "unique_conversions": 0,
                    "revenue": 0.0,
                },
            ],
            "attribution": "last",
        }
    },
    "goals_breakdown": {
        "data": {
            "period": {"from": "2026-02-11", "to": "2026-02-18"},
            "attribution": "last",
            "dimension": "country",
            "breakdown": [
                {
                    "value": "DE",
                    "conversions": 212,
                    "unique_conversions": 190,
                    "revenue": 10388.0,
                },
                {
                    "value": None,
                    "conversions": 130,
                    "unique_conversions": 108,
                    "revenue": 6370.0,
                },
            ],
            "total_values": 2,
            "other": None,
            "next_cursor": None,
        }
    },
    "goals_journeys": {
        "data": {
            "period": {"from": "2026-02-11", "to": "2026-02-18"},
            "attribution": "last",
            "journeys": 298,
            "time_to_convert": {
                "median": 312,
                "quantiles": [
                    {"share": 0.1, "seconds": 64},
                    {"share": 0.25, "seconds": 130},
                    {"share": 0.5, "seconds": 312},
                    {"share": 0.75, "seconds": 1105},
                    {"share": 0.9, "seconds": 5210},
                    {"share": 0.95, "seconds": 11480},
                ],
            },
            "entries": [
                {"path": "/", "journeys": 160},
                {"path": "/blog/how-to", "journeys": 71},
            ],
            "pages_before": [
                {"before": 1, "pages": [{"path": "/pricing", "journeys": 240}]},
                {"before": 2, "pages": [{"path": "/", "journeys": 155}]},
                {"before": 3, "pages": [{"path": None, "journeys": 120}]},
            ],
            "ways": [{"pages": ["/", "/pricing"], "journeys": 118}],
        }
    },
    "goals_rate": {
        "data": {
            "period": {"from": "2026-02-11", "to": "2026-02-18"},
            "attribution": "last",
            "numerator": {
                "unique_visitors": 298,
                "meaning": "unique visitors who converted",
            },
            "denominator": {
                "unique_visitors": 5120,
                "meaning": "unique visitors of the site",
            },
            "rate": 0.058203,
            "interval": {"level": 0.95, "low": 0.052108, "high": 0.064962},
            "too_few_to_compare": False,
        }
    },
    "deleted_goals_list": {
        "data": [
            {
                "id": "661f9511-f39c-52e5-b827-557766551111",
                "name": "Signup",
                "type": "event",
                "match_type": "exact",
                "match_value": "signup",
                "currency": None,
                "deleted_at": "2026-02-18T12:34:56Z",
            }
        ]
    },
    "deleted_goals_restore": {
        "data": {
            "id": "661f9511-f39c-52e5-b827-557766551111",
            "name": "Signup",
            "type": "event",
            "match_type": "exact",
            "match_value": "signup",
            "currency": None,
        }
    },
    "goals_apply": {
        "data": {
            "create": [
                {
                    "id": None,
                    "name": "Purchase",
                    "type": "custom",
                    "match_type": "exact",
                    "match_value": "purchase",
                    "currency": "USD",
                }
            ],
            "change": [],
            "delete": [],
            "keep": [],
        }
    },
    "goals_preview": {
        "data": {
            "period": {"from": "2026-02-11", "to": "2026-02-18"},
            "conversions": 1,
            "unique_conversions": 1,
            "revenue": 49.99,
            "names": [{"name": "purchase", "conversions": 1}],
            "total_names": 1,
            "hints": [],
            "overlaps": [],
        }
    },
    "goals_explain": {
        "data": {
            "event": {"type": "goal", "name": "purchase"},
            "goals": [
                {
                    "id": "550e8400-e29b-41d4-a716-446655440000",
                    "name": "Purchase",
                    "matches": True,
                    "reason": "exact: is 'purchase'",
                }
            ],
        }
    },
    "funnels_query": {
        "data": {
            "period": {"from": "2026-02-11", "to": "2026-02-18"},
            "attribution": "last",
            "window_minutes": 30,
            "steps": [
                {
                    "goal": None,
                    "type": "event",
                    "match_type": "exact",
                    "match_value": "signup",
                    "visitors": 500,
                    "dropped": 0,
                    "share_of_previous": 1.0,
                    "share_of_first": 1.0,
                    "median_seconds": None,
                },
                {
                    "goal": "550e8400-e29b-41d4-a716-446655440000",
                    "type": "custom",
                    "match_type": "exact",
                    "match_value": "purchase",
                    "visitors": 120,
                    "dropped": 380,
                    "share_of_previous": 0.24,
                    "share_of_first": 0.24,
                    "median_seconds": 245,
                },
            ],
            "dimension": "country",
            "breakdown": [
                {"value": "DE", "visitors": [300, 90], "share_of_first": 0.3},
                {"value": None, "visitors": [200, 30], "share_of_first": 0.15},
            ],
            "total_values": 2,
            "other": None,
        }
    },
    "audit_list": {"data": [], "next_cursor": None},
    "mcp_call": {"jsonrpc": "2.0", "id": 1, "result": {}},
    "tokens_list": {
        "data": [
            {
                "id": "0d6a3a1e-4a0e-4c34-8a43-1f5f0d7c2b61",
                "name": "Dashboard",
                "key_prefix": "kr_live_abcd",
                "scopes": ["analytics:read"],
                "sites": ["sk_abc123def456"],
                "created_at": "2026-02-18T12:34:56Z",
                "expires_at": None,
                "last_used_at": None,
                "revoked_at": None,
            }
        ]
    },
    "tokens_create": {
        "data": {
            "id": "0d6a3a1e-4a0e-4c34-8a43-1f5f0d7c2b61",
            "name": "Dashboard",
            "key_prefix": "kr_live_abcd",
            "scopes": ["analytics:read"],
            "sites": ["sk_abc123def456"],
            "created_at": "2026-02-18T12:34:56Z",
            "expires_at": None,
            "last_used_at": None,
            "revoked_at": None,
            "token": "kr_live_abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
        }
    },
    "tokens_rotate": {
        "data": {
            "id": "0d6a3a1e-4a0e-4c34-8a43-1f5f0d7c2b61",
            "name": "Dashboard",
            "key_prefix": "kr_live_abcd",
            "scopes": ["analytics:read"],
            "sites": ["sk_abc123def456"],
            "created_at": "2026-02-18T12:34:56Z",
            "expires_at": None,
            "last_used_at": None,
            "revoked_at": None,
            "token": "kr_live_abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
        }
    },
    "tokens_revoke": {
        "data": {
            "id": "0d6a3a1e-4a0e-4c34-8a43-1f5f0d7c2b61",
            "name": "Dashboard",
            "key_prefix": "kr_live_abcd",
            "scopes": ["analytics:read"],
            "sites": ["sk_abc123def456"],
            "created_at": "2026-02-18T12:34:56Z",
            "expires_at": None,
            "last_used_at": None,
            "revoked_at": "2026-03-01T08:00:00Z",
        }
    },
    "deleted_sites_list": {
        "data": [
            {
                "id": "9b2f0c52-6c1a-4a5e-9d57-2f4f6c1f7a10",
                "domain": "shop.example",
                "name": "Shop",
                "site_key": "sk_abc123def456",
                "public_stats": False,
                "created_at": "2026-01-05T09:00:00Z",
            }
        ]
    },
    "deleted_sites_restore": {
        "data": {
            "id": "9b2f0c52-6c1a-4a5e-9d57-2f4f6c1f7a10",
            "domain": "shop.example",
            "name": "Shop",
            "site_key": "sk_abc123def456",
            "public_stats": False,
            "created_at": "2026-01-05T09:00:00Z",
        }
    },
    "sites_erase": {"data": {"events": 3, "refunds": 0}},
    "deleted_sites_erase": {"data": {"erasure_asked_at": "2026-02-18T12:34:56Z"}},
    "team_erase": {"data": {"erasure_asked_at": "2026-02-18T12:34:56Z"}},
    "team_export": (
        '{"manifest":{"format":"krafter-team","version":1,'
        '"id":"550e8400-e29b-41d4-a716-446655440000",'
        '"made_at":"2026-02-18T12:34:56+00:00","team":"Shop","sites":[],"notes":[]}}\n'
        '{"end":{"counts":{"manifest":1},"sha256":"0b5ff1ea…"}}\n'
    ),
    "team_import": {
        "data": {
            "stream": "550e8400-e29b-41d4-a716-446655440000",
            "pages": 2,
            "complete": False,
            "sites": [
                {
                    "key": "sk_abc123def456",
                    "site_key": "sk_abc123def456",
                    "events": 41200,
                    "refunds": 0,
                    "complete": False,
                }
            ],
        }
    },
    "names_list": {
        "data": [
            {
                "id": "3f0c9a52-2d0b-5b57-9b0e-7a1f64b7c001",
                "type": "goal",
                "name": "purchase",
                "events": 342,
                "visitors": 298,
                "first_seen": "2026-01-05",
                "last_seen": "2026-02-18",
                "goals": [],
            }
        ],
        "next_cursor": None,
    },
    "names_stats": {
        "data": {
            "period": {"from": "2026-02-18", "to": "2026-02-18"},
            "name": {
                "id": "3f0c9a52-2d0b-5b57-9b0e-7a1f64b7c001",
                "type": "goal",
                "name": "purchase",
                "events": 342,
                "visitors": 298,
                "first_seen": "2026-01-05",
                "last_seen": "2026-02-18",
                "goals": [],
            },
            "timeseries": [{"date": "2026-02-18", "events": 342, "visitors": 298}],
            "properties": {
                "looked_at": 342,
                "is_complete": True,
                "props": [],
                "total_keys": 0,
            },
        }
    },
    "sites_props": {
        "data": {
            "period": {"from": "2026-02-11", "to": "2026-02-18"},
            "looked_at": 342,
            "is_complete": True,
            "props": [],
            "total_keys": 0,
        }
    },
}
