"""The descriptions of the operations on saved funnels in the OpenAPI document."""

from analytics.access.openapi import IDEMPOTENCY_KEY
from goals.reports.funnel_serializers import SavedFunnelQuestionSerializer
from goals.reports.funnels import Funnel
from krafter.openapi.operations import Operation

_STEPS = [
    {"type": "pageview", "match_type": "exact", "match_value": "/pricing"},
    {"goal": "550e8400-e29b-41d4-a716-446655440000"},
]
_FUNNEL = {
    "id": "5b0e4b6e-9d35-4c8b-8f57-6f0a7c1d2e33",
    "name": "From the prices to a purchase",
    "steps": _STEPS,
    "window_minutes": 60,
}
_REACHED = {"type": "pageview", "match_type": "exact", "match_value": "/pricing"}

SAVED_FUNNELS = {
    "list": Operation(summary="List saved funnels", answered=_FUNNEL, errors=(422,)),
    "create": Operation(
        summary="Save a funnel",
        parameters=(IDEMPOTENCY_KEY,),
        sent={name: value for name, value in _FUNNEL.items() if name != "id"},
        answered=_FUNNEL,
        headers=("Location",),
    ),
    "retrieve": Operation(summary="Get a saved funnel", answered=_FUNNEL),
    "partial_update": Operation(
        summary="Update a saved funnel",
        sent={"name": _FUNNEL["name"]},
        answered=_FUNNEL,
    ),
    "destroy": Operation(summary="Delete a saved funnel"),
    "stats": Operation(
        summary="Get the stats of a saved funnel",
        description="Answers for the saved steps as `POST /sites/:key/funnels/query`"
        " does. Returns 422 if a goal among the steps has been deleted.",
        query=SavedFunnelQuestionSerializer,
        answer=Funnel,
        answered={
            "period": {"from": "2026-03-03", "to": "2026-03-10"},
            "attribution": "last",
            "window_minutes": 60,
            "steps": [
                {
                    "goal": None,
                    **_REACHED,
                    "visitors": 300,
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
                    "visitors": 50,
                    "dropped": 250,
                    "share_of_previous": 0.166667,
                    "share_of_first": 0.166667,
                    "median_seconds": 410,
                },
            ],
        },
    ),
}
