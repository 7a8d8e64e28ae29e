"""What counts as a breaking change of the OpenAPI document."""

import json
from copy import deepcopy
from typing import Any

import pytest

from krafter import installation
from krafter.openapi import pages
from tests.contract.breaking import DOCS, breaks, since_last_release

GOALS = "/api/v1/analytics/sites/{key}/goals"
GOAL = f"{GOALS}/{{id}}"


@pytest.fixture
def after():
    return deepcopy(pages.document())


def found(after):
    return list(breaks(pages.document(), after))


def schema(after, name):
    return after["components"]["schemas"][name]


def test_same_document_breaks_nothing(after):
    assert found(after) == []


def test_operation_that_is_gone_breaks(after):
    del after["paths"][GOAL]["delete"]
    assert found(after) == [f"DELETE {GOAL}: is gone"]


def test_renamed_operation_breaks(after):
    after["paths"][GOALS]["get"]["operationId"] = "goals_all"
    assert found(after) == [f"GET {GOALS}: operationId was goals_list, is goals_all"]


def test_other_scope_breaks(after):
    after["paths"][GOALS]["get"]["security"] = [{"apiKey": ["goals:read"]}]
    assert len(found(after)) == 1


def test_parameter_that_is_gone_breaks(after):
    operation = after["paths"][GOALS]["get"]
    operation["parameters"] = [
        p for p in operation["parameters"] if p["name"] != "search"
    ]
    assert found(after) == [f"GET {GOALS}: parameter search is gone"]


def test_new_parameter_breaks_only_if_required(after):
    parameter: dict[str, Any] = {
        "in": "query",
        "name": "sort",
        "schema": {"type": "string"},
    }
    after["paths"][GOALS]["get"]["parameters"].append(parameter)
    assert found(after) == []
    parameter["required"] = True
    assert found(after) == [f"GET {GOALS}: parameter sort is now required"]


def test_answer_that_is_gone_breaks(after):
    del after["paths"][GOALS]["get"]["responses"]["404"]
    assert found(after) == [f"GET {GOALS}: answer 404 is gone"]


def test_key_that_is_gone_from_an_answer_breaks(after):
    del schema(after, "GoalStats")["properties"]["revenue"]
    where = f"GET {GOAL}/stats: 200.data.revenue"
    assert f"{where}: is gone" in found(after)


def test_key_that_may_be_absent_breaks(after):
    schema(after, "GoalStats")["required"].remove("revenue")
    assert f"GET {GOAL}/stats: 200.data.revenue: may now be absent" in found(after)


def test_new_key_of_an_answer_breaks_nothing(after):
    schema(after, "GoalStats")["properties"]["gross"] = {"type": "number"}
    assert found(after) == []


@pytest.mark.parametrize(
    ("name", "field", "change"),
    [
        ("GoalRequest", "name", {"maxLength": 100}),
        ("GoalRequest", "name", {"minLength": 2}),
        ("GoalRequest", "name", {"pattern": "^[a-z]+$"}),
        ("GoalRequest", "name", {"type": "integer"}),
        ("GoalRequest", "match_value", {"enum": ["/"]}),
        ("SiteSettings", "timezone", {"type": ["string", "null"]}),
        ("GoalStats", "conversions", {"type": "string"}),
    ],
)
def test_narrowed_request_and_widened_answer_break(after, name, field, change):
    schema(after, name)["properties"][field] |= change
    assert found(after)


@pytest.mark.parametrize(
    ("name", "field", "change"),
    [
        ("GoalRequest", "name", {"maxLength": 1_000}),
        ("GoalRequest", "name", {"minLength": 0}),
        ("GoalRequest", "name", {"type": ["string", "null"]}),
        ("GoalStats", "revenue", {"type": "number"}),
    ],
)
def test_widened_request_and_narrowed_answer_do_not(after, name, field, change):
    schema(after, name)["properties"][field] |= change
    assert found(after) == []


def test_field_that_becomes_required_breaks(after):
    schema(after, "GoalRequest")["required"].append("currency")
    assert f"POST {GOALS}: body.currency: is now required" in found(after)


def test_value_that_is_no_longer_taken_breaks(after):
    schema(after, "MatchType")["enum"].remove("regex")
    assert f"POST {GOALS}: body.match_type: takes no regex any more" in found(after)


def test_new_value_breaks_those_who_are_answered_with_it(after):
    schema(after, "MatchType")["enum"].append("glob")
    problems = found(after)
    assert f"POST {GOALS}: 201.data.match_type: may now be glob" in problems
    assert not any("body" in problem for problem in problems)


# The documents of releases


def test_newest_release_is_compared_with(tmp_path, after):
    (tmp_path / "openapi.yaml").write_text(json.dumps(after))
    (tmp_path / "contract-0.10.0.yaml").write_text(json.dumps(after))
    del after["paths"][GOAL]["delete"]
    (tmp_path / "contract-0.9.1.yaml").write_text(json.dumps(after))
    assert since_last_release(tmp_path) == []
    (tmp_path / "openapi.yaml").write_text(json.dumps(after))
    assert since_last_release(tmp_path) == [f"DELETE {GOAL}: is gone"]


def test_document_of_this_version_is_kept():
    assert (DOCS / f"contract-{installation.version()}.yaml").is_file()
