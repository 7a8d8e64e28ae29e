"""Descriptions of fields and parameters for the OpenAPI document.

A name has the same meaning in the whole API, so most descriptions are here once. A
field with another meaning has its own description: `Meta(description=...)`,
`help_text`, or an entry `Component.field` here.
"""

from typing import Any

from goals.examples import EXAMPLES
from krafter.openapi.operations import Schema

WORDS = {
    "action": "What was done, such as `goal.changed`.",
    "actor": "The person, API key or command that made the change.",
    "after": "The goal after the change.",
    "allowed_hosts": "Hosts other than the domain whose pages are counted.",
    "amount": "An amount in `currency`.",
    "at": "Time of the change.",
    "attribution": "Which arrival of a visitor a conversion is attributed to.",
    "before": "The goal before the change.",
    "breakdown": "One row for each value of the dimension.",
    "breakdowns": "One row for each value, by dimension.",
    "change": "Goals that the list changes.",
    "channel": "The channel, such as search or mail.",
    "channels": "Channel rules of the site. They are checked before the built-in"
    " rules.",
    "conversions": "Number of events that the goal counts.",
    "converted": "Amounts in other currencies by day, with their value in the goal's"
    " currency.",
    "comparison": "The values of the earlier period.",
    "count": "The number of events.",
    "create": "Goals that the list creates.",
    "created_at": "Time of creation, in UTC.",
    "currency": "An ISO 4217 code, such as USD, or null.",
    "cursor": "The `next_cursor` of the previous page.",
    "data": "The content of the response.",
    "date": "The day, in the site's time zone.",
    "day": "The day whose exchange rate was used.",
    "delete": "Goals that the list deletes.",
    "delete_missing": "Whether goals that are missing from the list are deleted.",
    "deleted": "Always true: the object was deleted.",
    "deleted_at": "Time of deletion, in UTC.",
    "denominator": "The visitors who could have converted.",
    "dimension": "The dimension to break down by, such as `country` or `props.plan`.",
    "dimensions": "Dimensions to break down by, separated by commas.",
    "domain": "The domain of the site, without a scheme.",
    "dropped": "Number of visitors of the previous step who did not reach this step.",
    "drops": "Number of events dropped by each rule.",
    "dry_run": "`true`: change nothing and return what would change.",
    "error": "A human-readable message.",
    "event": "The event as goals are compared with it.",
    "excluded_ips": "IP addresses and networks whose events are not counted.",
    "excluded_paths": "Paths that are not counted. `*` matches any text.",
    "excluded_referrers": "Hosts that are not counted as a source, such as a payment"
    " provider.",
    "expires_at": "Time at which the key expires. Null: never.",
    "from": "First day, inclusive. Only with `period=custom`.",
    "goal": "The id of a goal of the site.",
    "goals": "The goals of the site.",
    "gross": "Payments, before refunds.",
    "high": "Upper end of the interval.",
    "id": "Unique identifier.",
    "interval": "The length of each interval.",
    "jsonrpc": "The protocol version, `2.0`.",
    "keep": "Goals that stay unchanged.",
    "key_prefix": "The first characters of the key, which identify it in lists.",
    "kind": "The kind of values that were replaced by `(other)`: paths, names or"
    " labels.",
    "last_used_at": "Time at which the key was last used, accurate to the minute."
    " Null: never.",
    "level": "Confidence level of the interval, such as 0.95 for 95 %.",
    "journeys": "Number of unique visitors, each counted once per day.",
    "limit": "Maximum number of rows.",
    "low": "Lower end of the interval.",
    "match_type": "How the match value is compared: `exact`, `contains` or `regex`"
    " (RE2 syntax).",
    "match_value": "The value that the path or name is compared with.",
    "matches": "Whether the goal counts the event.",
    "meaning": "A description of the visitors that are counted.",
    "name": "The name.",
    "names": "The most frequent names that the rule matches.",
    "net": "Payments minus refunds.",
    "numerator": "The visitors who converted.",
    "of": "The id of another goal. The rate is then computed among the visitors who"
    " completed that goal.",
    "ok": "Always true: the request was understood.",
    "pages": "Paths of pages.",
    "pages_before": "The last, second to last and third to last page before the"
    " conversion.",
    "pageviews": "Number of page views.",
    "payment_count": "Number of payments.",
    "per_euro": "Exchange rates, as units of each currency per euro.",
    "period": "The days of the report. Periods other than `custom` end today,"
    " inclusive.",
    "props": "The custom properties of the event, as a flat object.",
    "public_stats": "Whether the site's statistics may be shown to everyone.",
    "quantiles": "Quantiles of the time to convert.",
    "rate": "Converted visitors divided by all visitors, from 0 to 1. Null without"
    " visitors.",
    "reason": "Why the goal counts the event, or why it does not.",
    "referrer": "The referring host.",
    "refund_count": "Number of refunds.",
    "refunds": "Amount of refunds.",
    "result": "The result of the request.",
    "revenue": "The amount of the event. Null if it has none.",
    "revoked_at": "Time at which the key was revoked. Null if it has not been revoked.",
    "rule": "The rule that drops events.",
    "scopes": "The scopes of the key.",
    "seconds": "The time, in seconds.",
    "search": "Text that the name or the match value contains, ignoring case.",
    "share_of_first": "Visitors of this step divided by visitors of the first step,"
    " from 0 to 1.",
    "share_of_previous": "Visitors of this step divided by visitors of the previous"
    " step, from 0 to 1.",
    "site": "The site's public key.",
    "site_key": "The public key that identifies the site in its pages and in the API.",
    "sites": "The keys of the sites to which the API key is restricted. Null: all"
    " sites of the team.",
    "sort": "Order of the rows. A leading `-` puts the largest first.",
    "status": "The outcome.",
    "steps": "The steps, in order.",
    "subject": "The object that was affected.",
    "subtotals": "Sums by the currency of the payment.",
    "text": "The text of the note.",
    "timeseries": "One row for each day or other interval, including those with zeros.",
    "timestamp": "Time of the event, in UTC.",
    "to": "Last day, inclusive. Only with `period=custom`.",
    "token": "The secret. It is shown only once.",
    "too_few_to_compare": "Whether there are too few visitors to compare the rates.",
    "total_names": "Number of names that the rule matches.",
    "total_values": "Number of values of the dimension.",
    "totals": "Sums over all days. A visitor is counted once per day.",
    "type": "The type.",
    "unconverted": "Amounts without an exchange rate. They are not part of the"
    " revenue.",
    "unique_conversions": "Number of unique visitors, each counted once per day.",
    "unique_visitors": "Number of unique visitors, each counted once per day.",
    "value": "A value of the dimension. Null if it is unknown.",
    "via": "How the change was made: through the API, the admin, a command, or by the"
    " service itself.",
    "visitors": "Number of unique visitors, each counted once per day.",
    "visitor_id": "Your identifier of the visitor, as you sent it with the events.",
    "visits": "Number of visits. A visit ends after 30 minutes without an event.",
    "window_minutes": "How many minutes a visitor may take from the first step to the"
    " last. Null: until the end of the day.",
    "worth": "The amount in the goal's currency.",
    # Query parameters that filter.
    "?action": "Only entries with this action.",
    "?attribution": "Which arrival of a visitor a conversion is attributed to.",
    "?compare": "An earlier period to compare with.",
    "?currency": "Only goals with this currency.",
    "?detail": "Adds details: `money` the composition of the revenue, `attribution`"
    " the attribution that was used, `coverage` the first day that is counted.",
    "?id": "The id of the object.",
    "?match_type": "Only goals with this match type.",
    "?name": "Only events with this name.",
    "?period": "The days to report. `custom` requires `from` and `to`.",
    "?site": "Only entries about the site with this key.",
    "?type": "Only rows of this type.",
    "utm_source": "The source of the campaign.",
    "utm_medium": "The medium of the campaign.",
    "utm_campaign": "The name of the campaign.",
    "utm_term": "The keyword of the campaign.",
    "utm_content": "The link or variant within the campaign.",
    "Erased.events": "Number of erased events.",
    "Erased.refunds": "Number of refunds that were erased with them.",
    "ErasureRequest.events": "The ids of the events to erase.",
    "ErasureRequest.from": "First day on which events of the visitor are erased,"
    " inclusive.",
    "ErasureRequest.to": "Last day on which events of the visitor are erased,"
    " inclusive.",
    "Hint.code": "Machine-readable code of the hint.",
    "Hint.message": "Human-readable text of the hint.",
    "events": "Number of events.",
    "first_seen": "The first day on which the name was sent.",
    "hints": "Reasons why the rule matches nothing, or less than it seems to.",
    "is_complete": "Whether all events of the period were examined.",
    "key": "The key of the property.",
    "last_seen": "The last day on which the name was sent.",
    "looked_at": "Number of events with properties that were examined, newest first.",
    "message": "A human-readable message.",
    "overlaps": "Goals that count the same names.",
    "relation": "How the names that the two rules match overlap.",
    "total_keys": "Number of all keys.",
    "types": "Number of values of each JSON type.",
    "values": "The most frequent values.",
    "NameProps.props": "The properties of the name's events, by key.",
    "SentProps.props": "The properties of the site's events, by key.",
    "RuleChange.after": "The rule after the change.",
    "RuleChange.before": "The rule before the change.",
    "?starred": "`true`: only starred goals. `false`: only goals that are not starred.",
    "?unmatched": "`true`: only names that no goal counts.",
    "Message.id": "The id of the request message.",
    "Message.error": "The error.",
    "ComparedRate.until": "If the current period is not over: the time up to which"
    " the last earlier day is counted. Null if it is counted to its end.",
    "ComparedRate.difference": "Confidence interval of the change from this rate to"
    " the current one. Null without visitors.",
    "Rate.interval": "Wilson confidence interval of the rate. Null without visitors.",
    "Goal.type": "The type of event that counts: `pageview`, `event`, or `custom` for"
    " `ka.goal`.",
}


def explain(result: Schema, **_: object) -> Schema:
    """drf-spectacular's hook: add missing descriptions and examples."""
    components = result["components"]["schemas"]
    for component, schema in components.items():
        for name, field in schema.get("properties", {}).items():
            own = WORDS.get(f"{component}.{name}") or WORDS.get(name)
            # Nothing beside a reference is read: the component has its own description.
            if own and "$ref" not in field:
                field.setdefault("description", own)
            elif own and "$ref" in field:
                referred = components[field["$ref"].rpartition("/")[2]]
                referred.setdefault("description", own)
    for methods in result["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                name = parameter["name"]
                own = WORDS.get(f"?{name}") or WORDS.get(name)
                if own:
                    parameter.setdefault("description", own)
            _show(operation)
    return result


def _show(operation: Schema) -> None:
    example: Any = EXAMPLES.get(operation["operationId"])
    # Files are texts of lines.
    shown_as = (
        "application/x-ndjson" if isinstance(example, str) else "application/json"
    )
    for status, answer in operation["responses"].items():
        media = answer.get("content", {}).get(shown_as)
        has_one = media is None or {"example", "examples"} & media.keys()
        if example is not None and status.startswith("2") and not has_one:
            media["example"] = example
