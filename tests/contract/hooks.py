"""What schemathesis must know of the service: a key, things that exist, a rule.

A random site answers everything with 404, so that nothing else about a request
would be looked at: sound ids are replaced by those of things that exist. What a
request destroys is made for it.
"""

import json
import os
import re
import urllib.parse
import urllib.request
from typing import Any

import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

ENDING = ("tokens_revoke", "tokens_rotate")
URL = os.environ["CONTRACT_URL"]
GOAL = {
    "name": "Purchase",
    "type": "custom",
    "match_type": "exact",
    "match_value": "purchase",
    "currency": "USD",
}

# A schema says what a request looks like. What follows depends on the other fields,
# on the time, or on what is stored: the service refuses it with the same 422.
BEYOND_A_SCHEMA = re.compile(
    r"Not a valid RE2 pattern: "
    r"|The team has a site with this domain\."
    r"|A site holds at most 1000 goals\."
    r"|Required when period=custom\.|Only with period=custom\."
    r"|Must not be before from\.|At most (1830|366) days\.|hour: (at most|only in) "
    r"|The calendar has no such days\."
    r"|Not a cursor of this list\."
    r"|Not an IANA time zone name\.|Not an (IP )?address"
    r"|Unknown site |No such (goal|event) on this site\.|There is no such key\."
    r"|This key is revoked\.|Must be in the future\."
    r"|The event's is |Only .* of the event's is left\."
    r"|Send values separated by commas"
    r"|Needs revenue\.|A page view needs its URL\."
    r"|Give visitor_id, or ip and user_agent\."
    r"|Must not be (more than 24 hours ahead|before 1990)\."
    r"|Goals are identified by name here"
    r"|Must be more than 0"
    r"|Was already used with another body\."
    # Languages write these characters differently: see `krafter.names`.
    r"|Control characters, line breaks and marks of direction are not allowed\."
    # Codes of ISO 4217 and 3166, which are texts in the document: see decisions.md.
    r'|"[A-Z]{3}" is not a valid choice\. Choose one of: AED, AFN,'
    r"|Not an active ISO 4217 code|Not an ISO 3166 code"
    # Parameters of a query cannot ask for each other.
    r"|Only with a limit\."
    # A page of an export is a text in the document.
    r"|The export has no end line\. It was cut off\."
    # Of either unit, so that no range says it.
    r"|Must be a number of seconds or milliseconds since 1970\.",
    re.DOTALL,
)
# Values in the syntax of filters, with `!`, commas and escapes; channels are a site's.
FILTERS = ("channel", "country", "device", "name")
BEYOND_A_FILTER = re.compile(
    r'".*" is not a valid choice\. Choose one of: |Every event has a name\.', re.DOTALL
)
# The same, of one field: required of one kind of event, and of a draft that edits no
# goal; parameters of a list that is asked for as CSV.
REQUIRED = "This field is required."
BEYOND_OF_FIELDS = {
    "collect": {"name": REQUIRED},
    "events_create": {"name": REQUIRED},
    "goals_explain": {"name": REQUIRED},
    "goals_preview": dict.fromkeys(("type", "match_type", "match_value"), REQUIRED),
    **dict.fromkeys(
        ("conversions_list", "goals_breakdown"),
        dict.fromkeys(("delimiter", "bom"), "Unknown parameter."),
    ),
}


def call(method: str, path: str, body: Any = None) -> Any:
    request = urllib.request.Request(
        f"{URL}/api/v1{path}",
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {Key.secret}", "Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["data"]


def new_key(*scopes: str) -> Any:
    return call("POST", "/tokens", {"name": "spare", "scopes": scopes})


@schemathesis.auth(refresh_interval=None)
class Key:
    """The key in use, and its successor while a request may end it."""

    secret = os.environ["CONTRACT_KEY"]
    id = ""
    successor: Any = None

    def get(self, case: Any, context: Any) -> str:
        return Key.secret

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers["Authorization"] = f"Bearer {data}"

    @staticmethod
    def take(key: Any) -> None:
        Key.secret, Key.id, Key.successor = key["token"], key["id"], None


Key.take(new_key("*"))


class Things:
    """The site, goal and key that requests are about."""

    made = 0

    def __init__(self) -> None:
        self.site = self.new_site()
        self.goal = self.new_goal()

    def new_site(self) -> str:
        Things.made += 1
        body = {"domain": f"{os.getpid()}-{self.made}.example", "name": "Shop"}
        return str(call("POST", "/analytics/sites", body)["site_key"])

    def new_goal(self) -> str:
        goal = call("POST", f"/analytics/sites/{self.site}/goals", GOAL)
        return str(goal["id"])

    def new_token(self) -> str:
        return str(new_key("analytics:read")["id"])


things: list[Things] = []


def operation_id(case: Any) -> str:
    return str(case.operation.definition.raw["operationId"])


def is_wrong(case: Any, location: ParameterLocation) -> bool:
    return bool(case.meta and case.meta.is_negative_at(location))


@schemathesis.serializer("application/x-ndjson")
def lines(context: Any, value: Any) -> bytes:
    return (value if isinstance(value, str) else json.dumps(value)).encode()


# A text, of which a schema cannot say that it holds JSON.
TRACKED = {
    "type": "pageview",
    "url": "https://shop.example/",
    "site": "sk_abc123def456",
}


# The front refuses longer ones, before there is an operation (431).
MAX_ADDRESS = 60_000


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    return len(urllib.parse.urlencode(case.query or {}, doseq=True)) < MAX_ADDRESS


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    name = operation_id(case)
    if case.media_type == "text/plain" and not is_wrong(case, ParameterLocation.BODY):
        case.body = json.dumps(TRACKED)
    is_sound = case.meta and not is_wrong(case, ParameterLocation.PATH)
    if is_sound and case.meta.phase.name != TestPhase.STATEFUL:
        point_at_things(case, name)
    if name in ENDING and case.path_parameters.get("id") == Key.id:
        Key.successor = new_key("*")


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    if Key.successor and operation_id(case) in ENDING and response.status_code < 300:
        Key.take(Key.successor)


def point_at_things(case: Any, name: str) -> None:
    if not things:
        things.append(Things())
    (known,) = things
    if "key" in case.path_parameters:
        is_deleted = name == "sites_delete"
        case.path_parameters["key"] = known.new_site() if is_deleted else known.site
    if "id" in case.path_parameters:
        match name:
            case "tokens_revoke" | "tokens_rotate":
                case.path_parameters["id"] = known.new_token()
            case "goals_delete":
                case.path_parameters["id"] = known.new_goal()
            case _:
                case.path_parameters["id"] = known.goal


@schemathesis.check
def refusal_is_beyond_a_schema(context: Any, response: Any, case: Any) -> None:
    """What the document allows is refused for reasons that it cannot say."""
    meta = case.meta
    if not meta or meta.generation.mode.is_negative or response.status_code != 422:
        return
    has_filters = case.method == "GET" or operation_id(case) == "funnels_query"
    filters = FILTERS if has_filters else ()
    of_fields = BEYOND_OF_FIELDS.get(operation_id(case), {})
    unsaid = [
        f"{name}: {message}"
        for name, messages in response.json()["details"].items()
        for message in messages
        if message != of_fields.get(name)
        and not BEYOND_A_SCHEMA.match(message)
        and not (name in filters and BEYOND_A_FILTER.match(message))
    ]
    if unsaid:
        raise AssertionError(f"Refused what is documented: {unsaid}")


@schemathesis.check
def wrong_body_is_refused(context: Any, response: Any, case: Any) -> None:
    """Where a 2xx is no acceptance of the body: see the operations in the .toml."""
    if not is_wrong(case, ParameterLocation.BODY) or response.status_code >= 300:
        return
    match operation_id(case):
        case "collect":
            raise AssertionError("A wrong body was taken")
        case "events_create":
            outcomes = response.json()["data"]
            if all(outcome["status"] != "rejected" for outcome in outcomes):
                raise AssertionError("No event of a wrong body was rejected")
