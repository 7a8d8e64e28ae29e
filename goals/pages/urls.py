"""The pages for site owners."""

from django.urls import path

from goals.pages.editing import (
    delete_goal,
    deleted,
    edit_goal,
    new_goal,
    preview_goal,
    restore_goal,
    star_goal,
)
from goals.pages.erase_events import erase_events
from goals.pages.funnel import delete_funnel, funnels, save_funnel
from goals.pages.goal import goal
from goals.pages.goal_parts import (
    goal_breakdown,
    goal_conversions,
    goal_journeys,
    goal_names,
    goal_properties,
)
from goals.pages.goals import goals, goals_csv
from goals.pages.live import allow_host, install, live
from goals.pages.marks import add_note, delete_note
from goals.pages.sent import site_names
from goals.pages.site_forms import delete_site, new_site, site_settings
from goals.pages.sites import sites
from goals.pages.team_data import (
    erase_site,
    erase_team,
    export_team,
    restore_site,
    team_data,
)
from goals.pages.team_keys import revoke_key, rotate_key, team_keys

_TEAM = "teams/<int:team>"
_GOAL = "sites/<str:key>/goals/<str:id>"

urlpatterns = [
    path("", sites, name="sites"),
    path("sites/new", new_site, name="new_site"),
    path("sites/<str:key>", goals, name="site"),
    path("sites/<str:key>/live", live, name="live"),
    path("sites/<str:key>/allow-host", allow_host, name="allow_host"),
    path("sites/<str:key>/funnels", funnels, name="funnels"),
    path("sites/<str:key>/funnels/save", save_funnel, name="save_funnel"),
    path(
        "sites/<str:key>/funnels/<str:id>/delete",
        delete_funnel,
        name="delete_funnel",
    ),
    path("sites/<str:key>/install", install, name="install"),
    path("sites/<str:key>/settings", site_settings, name="site_settings"),
    path("sites/<str:key>/delete", delete_site, name="delete_site"),
    path("sites/<str:key>/erase", erase_events, name="erase_events"),
    path("sites/<str:key>/notes", add_note, name="add_note"),
    path("sites/<str:key>/notes/<str:id>/delete", delete_note, name="delete_note"),
    path("sites/<str:key>/names", site_names, name="site_names"),
    path("sites/<str:key>/goals.csv", goals_csv, name="goals_csv"),
    path("sites/<str:key>/goals/new", new_goal, name="new_goal"),
    path("sites/<str:key>/goals/preview", preview_goal, name="preview_goal"),
    path("sites/<str:key>/deleted-goals", deleted, name="deleted_goals"),
    path(
        "sites/<str:key>/deleted-goals/<str:id>/restore",
        restore_goal,
        name="restore_goal",
    ),
    path(f"{_GOAL}/star", star_goal, name="star_goal"),
    path(f"{_GOAL}/edit", edit_goal, name="edit_goal"),
    path(f"{_GOAL}/delete", delete_goal, name="delete_goal"),
    path(_GOAL, goal, name="goal"),
    path(f"{_GOAL}/breakdown", goal_breakdown, name="goal_breakdown"),
    path(f"{_GOAL}/properties", goal_properties, name="goal_properties"),
    path(f"{_GOAL}/journeys", goal_journeys, name="goal_journeys"),
    path(f"{_GOAL}/names", goal_names, name="goal_names"),
    path(f"{_GOAL}/conversions", goal_conversions, name="goal_conversions"),
    path(f"{_TEAM}/keys", team_keys, name="team_keys"),
    path(f"{_TEAM}/keys/<uuid:uuid>/rotate", rotate_key, name="rotate_key"),
    path(f"{_TEAM}/keys/<uuid:uuid>/revoke", revoke_key, name="revoke_key"),
    path(f"{_TEAM}/data", team_data, name="team_data"),
    path(f"{_TEAM}/export", export_team, name="export_team"),
    path(f"{_TEAM}/erase", erase_team, name="erase_team"),
    path(f"{_TEAM}/deleted-sites/<str:key>/restore", restore_site, name="restore_site"),
    path(f"{_TEAM}/deleted-sites/<str:key>/erase", erase_site, name="erase_site"),
]
