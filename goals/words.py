"""What the words of the wire mean, for fields and parameters that do not say it.

One word means one thing in the whole API, so that most descriptions stand here once.
A field whose meaning is its own says so itself: by `Meta(description=...)`, or
`help_text`; or stands here as `Component.field`.
"""

from typing import Any

from goals.examples import EXAMPLES
from krafter.openapi.operations import Schema

WORDS = {
    "action": "What was done, such as `goal.changed`.",
    "actor": "Who did it.",
    "after": "The goal as it will be.",
    "allowed_hosts": "Hosts besides the domain whose pages are counted.",
    "amount": "An amount of money, in `currency`.",
    "at": "When it was done.",
    "attribution": "Which arrival of a visitor a conversion's source is taken from.",
    "before": "The goal as it is.",
    "breakdown": "One row for each value of the dimension.",
    "breakdowns": "By dimension: one row for each value.",
    "change": "Goals that are changed.",
    "channel": "The kind of source, such as search or mail.",
    "channels": "Rules that name the channel of a source, before the usual ones.",
    "conversions": "How many events the goal counts.",
    "converted": "Amounts in other currencies, by day, and what they are worth.",
    "comparison": "What there was in the earlier period.",
    "count": "How many.",
    "create": "Goals that are created.",
    "created_at": "When it was created.",
    "currency": "An ISO 4217 code, such as USD; null for none.",
    "cursor": "`next_cursor` of the page before.",
    "data": "The answer.",
    "date": "The day, in the site's time zone.",
    "day": "The day whose exchange rate was taken.",
    "delete": "Goals that are deleted.",
    "delete_missing": "Whether goals that the list lacks are deleted.",
    "deleted": "True: it is gone.",
    "deleted_at": "When it was deleted.",
    "denominator": "The visitors who could have converted.",
    "dimension": "What conversions are counted by, such as `country` or `props.plan`.",
    "dimensions": "Dimensions to break down by, separated by commas.",
    "domain": "The site's domain, without a scheme.",
    "dropped": "How many of the visitors of the step before did not come here.",
    "drops": "How many events each rule kept out.",
    "dry_run": "`true`: change nothing, and answer what would be.",
    "error": "A readable sentence.",
    "event": "The event as goals are compared with it.",
    "excluded_ips": "Addresses and networks whose visits are not counted.",
    "excluded_paths": "Paths that are not counted; `*` stands for anything.",
    "excluded_referrers": "Hosts that are no source, such as a payment provider.",
    "expires_at": "When the key ends; null: never.",
    "from": "First day, included; with `period=custom`.",
    "goal": "The id of a goal of the site.",
    "goals": "The goals.",
    "gross": "Payments, before refunds.",
    "high": "Upper end of the interval.",
    "id": "Its id.",
    "interval": "How long each point is.",
    "jsonrpc": "`2.0`.",
    "keep": "Goals that stay as they are.",
    "key_prefix": "The first characters of the key, to recognise it by.",
    "kind": "What was folded: paths, names or labels.",
    "last_used_at": "When the key was last used, to the minute; null: never.",
    "level": "How sure the interval is; 0.95 is 95 %.",
    "journeys": "How many visitors, counted once a day each.",
    "limit": "How many rows at most.",
    "low": "Lower end of the interval.",
    "match_type": "How the match value is compared: exact, contains, regex (RE2).",
    "match_value": "What the path or name is compared with.",
    "matches": "Whether the goal counts the event.",
    "meaning": "Who is counted.",
    "name": "Its name.",
    "names": "The most frequent names that the rule matches.",
    "net": "Payments less refunds.",
    "numerator": "The visitors who converted.",
    "of": "Another goal, by id: the rate is that of its visitors.",
    "ok": "True: it was read.",
    "pages": "Paths of pages.",
    "pages_before": "The last, second and third last page before the conversion.",
    "pageviews": "How many pages were viewed.",
    "payment_count": "How many payments.",
    "per_euro": "Exchange rates: units of each currency for one euro.",
    "period": "The days that are asked for, today included unless `custom`.",
    "props": "The event's own properties: a flat object.",
    "public_stats": "Whether the site's statistics may be shown to everyone.",
    "quantiles": "For some shares of the journeys, how long they took at most.",
    "rate": "Converters divided by visitors, 0 to 1; null without visitors.",
    "reason": "Why the goal counts the event, or why not.",
    "referrer": "Where the visitor came from.",
    "refund_count": "How many refunds.",
    "refunds": "What was given back.",
    "result": "What was asked for.",
    "revenue": "The amount of the event; null without one.",
    "revoked_at": "When the key was ended; null: it was not.",
    "rule": "The rule that keeps events out.",
    "scopes": "What the key may do.",
    "seconds": "How many seconds.",
    "search": "A text in name or match value, in any case.",
    "share_of_first": "Visitors of this step divided by those of the first, 0 to 1.",
    "share_of_previous": "Divided by those of the step before, 0 to 1.",
    "site": "The site's public key.",
    "site_key": "The public key that pages and the API name the site by.",
    "sites": "Keys of the sites that an API key is narrowed to; null: all.",
    "sort": "Order of the rows; `-` in front: the largest first.",
    "status": "What became of it.",
    "steps": "The steps, in order.",
    "subject": "What it was done to.",
    "subtotals": "Sums by currency, as they were paid.",
    "text": "What is noted of the day.",
    "timeseries": "One row for each day or other interval, zeros included.",
    "timestamp": "When it happened, in UTC.",
    "to": "Last day, included; with `period=custom`.",
    "token": "The secret. It is shown once.",
    "too_few_to_compare": "Whether there are too few visitors to compare rates.",
    "total_names": "How many names the rule matches.",
    "total_values": "How many values the dimension has.",
    "totals": "Sums over the days.",
    "type": "Its kind.",
    "unconverted": "Amounts without an exchange rate: not in the revenue.",
    "unique_conversions": "How many visitors, counted once a day each.",
    "unique_visitors": "How many visitors, counted once a day each.",
    "value": "A value of the dimension; null where it is unknown.",
    "via": "By which way: the API, the admin, a command or the service.",
    "visitors": "How many visitors, counted once a day each.",
    "visitor_id": "Your own name of the visitor, as events are sent with it.",
    "visits": "How many visits; 30 minutes without an event end one.",
    "window_minutes": "How long a visitor may take; null: to the end of the day.",
    "worth": "The amount in the goal's currency.",
    # Parameters, which narrow.
    "?action": "Only entries of this action.",
    "?attribution": "Which arrival a conversion's source is taken from.",
    "?compare": "An earlier period to compare with, row by row.",
    "?currency": "Only goals with this currency.",
    "?detail": "`money`: also what the revenue is made of.",
    "?id": "The id, as it was answered.",
    "?match_type": "Only goals with this match type.",
    "?name": "Only events of this name.",
    "?period": "The days to count; `custom` takes `from` and `to`.",
    "?site": "Only entries about this site, by its key.",
    "?type": "Only those of this type.",
    "utm_source": "The campaign's source.",
    "utm_medium": "The campaign's medium.",
    "utm_campaign": "The campaign's name.",
    "utm_term": "The campaign's keyword.",
    "utm_content": "Which of a campaign's links.",
    "Erased.events": "How many events were erased.",
    "Erased.refunds": "How many refunds were erased with them.",
    "ErasureRequest.events": "The ids of the events to erase.",
    "ErasureRequest.from": "First day on which the visitor is erased.",
    "ErasureRequest.to": "Last day on which the visitor is erased, included.",
    "Hint.code": "What kind of hint it is, for programs.",
    "Hint.message": "The hint as a sentence.",
    "events": "How many events.",
    "first_seen": "The first day on which it was sent.",
    "hints": "Why the rule matches nothing, or less than it seems to.",
    "is_complete": "Whether all events of the period were looked at.",
    "key": "The property's key.",
    "last_seen": "The last day on which it was sent.",
    "looked_at": "How many events with properties were looked at, the newest.",
    "message": "A readable sentence.",
    "overlaps": "Goals that count the same names.",
    "relation": "How the names of the two rules overlap.",
    "total_keys": "How many keys there are.",
    "types": "How many values are of each JSON type.",
    "values": "The most frequent values.",
    "NameProps.props": "The properties of the name's events, by key.",
    "SentProps.props": "The properties of the site's events, by key.",
    "RuleChange.after": "The rule from then on.",
    "RuleChange.before": "The rule until then.",
    "?starred": "`true`: only goals with a star; `false`: only those without.",
    "?unmatched": "`true`: only names that no goal counts.",
    "Message.id": "The id of the message that is answered.",
    "Message.error": "What was wrong.",
    "ComparedRate.until": "While the period runs: the moment before which the last day"
    " is counted. Null: to its end.",
    "ComparedRate.difference": "The interval of the rate less this one; null without"
    " visitors.",
    "Rate.interval": "Wilson's interval of the rate; null without visitors.",
    "Goal.type": "Which kind of event counts: page view, event, custom (`ka.goal`).",
}


def explain(result: Schema, **_: object) -> Schema:
    """drf-spectacular's hook: descriptions and examples where none are given."""
    components = result["components"]["schemas"]
    for component, schema in components.items():
        for name, field in schema.get("properties", {}).items():
            own = WORDS.get(f"{component}.{name}") or WORDS.get(name)
            # Beside a reference nothing else is read: the component has its own.
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
    # A text is one of lines.
    shown_as = (
        "application/x-ndjson" if isinstance(example, str) else "application/json"
    )
    for status, answer in operation["responses"].items():
        media = answer.get("content", {}).get(shown_as)
        has_one = media is None or {"example", "examples"} & media.keys()
        if example is not None and status.startswith("2") and not has_one:
            media["example"] = example
