"""A working call of each MCP tool, for all clients that are tried."""

from typing import Any

GOAL = {
    "name": "Signup",
    "type": "event",
    "match_type": "exact",
    "match_value": "signup",
}


def call_of_each(site: str, goal: str) -> dict[str, dict[str, Any]]:
    """Arguments by tool, in an order that works; `goal` is the id of GOAL.

    An event `signup` must have been sent.

    What is created is deleted in the end.
    """
    of_site = {"site_key": site}
    of_goal = {**of_site, "goal": goal}
    return {
        "list_sites": {},
        "list_goals": of_site,
        "list_names": of_site,
        "name_stats": {**of_site, "name": "signup"},
        "list_props": of_site,
        "goal_stats": of_goal,
        "goal_timeseries": of_goal,
        "goal_breakdown": of_goal,
        "preview_goal": {**of_site, **GOAL},
        "get_goal": {**of_site, "goal": "Signup"},
        "all_goals_stats": of_site,
        "goal_rate": of_goal,
        "goal_journeys": of_goal,
        "goal_conversions": of_goal,
        "funnel": {**of_site, "steps": [{"goal": "Signup"}, {"goal": goal}]},
        "explain_event": {**of_site, "type": "event", "name": "signup"},
        "site_stats": of_site,
        "site_realtime": of_site,
        "site_drops": of_site,
        "create_goal": {**of_site, **GOAL, "name": "Second"},
        "update_goal": {**of_site, "goal": "Second", "name": "Third"},
        "delete_goal": {**of_site, "goal": "Third"},
    }
