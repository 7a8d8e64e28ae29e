"""Names of the places that visitors come from. No database."""

import tomllib

import pytest

from analytics.sources import channels, names


@pytest.mark.parametrize(
    ("referrer", "name", "kind"),
    [
        ("news.example", "news.example", "referral"),
        ("www.news.example", "news.example", "referral"),
        ("www.google.com", "Google", "search"),
        ("google.de", "Google", "search"),
        ("google.co.uk", "Google", "search"),
        ("www.google.com.br", "Google", "search"),
        ("accounts.google.com", "accounts.google.com", "referral"),
        ("mail.google.com", "Gmail", "email"),
        ("docs.google.com", "Google Docs", "referral"),
        ("classroom.google.com", "classroom.google.com", "referral"),
        ("gemini.google.com", "Gemini", "ai"),
        ("notgoogle.example", "notgoogle.example", "referral"),
        ("google.com.evil.example", "google.com.evil.example", "referral"),
        ("www.bing.com", "Bing", "search"),
        ("account.bing.com", "account.bing.com", "referral"),
        ("search.yahoo.co.jp", "Yahoo", "search"),
        ("de.search.yahoo.com", "Yahoo", "search"),
        ("mail.yahoo.com", "Yahoo Mail", "email"),
        ("login.yahoo.com", "login.yahoo.com", "referral"),
        ("finance.yahoo.com", "finance.yahoo.com", "referral"),
        ("yandex.com.tr", "Yandex", "search"),
        ("mail.yandex.ru", "Yandex Mail", "email"),
        ("m.baidu.com", "Baidu", "search"),
        ("tieba.baidu.com", "Tieba", "social"),
        ("t.co", "X", "social"),
        ("x.com", "X", "social"),
        ("netflix.com", "netflix.com", "referral"),
        ("l.facebook.com", "Facebook", "social"),
        ("m.me", "Messenger", "messenger"),
        ("t.me", "Telegram", "messenger"),
        ("m.youtube.com", "YouTube", "video"),
        ("www.amazon.co.jp", "Amazon", "shopping"),
        ("chatgpt.com", "ChatGPT", "ai"),
        ("news.ycombinator.com", "Hacker News", "social"),
        ("android-app://com.google.android.gm", "Gmail", "email"),
        ("android-app://com.slack", "Slack", "messenger"),
        (
            "android-app://com.google.android.googlequicksearchbox",
            "Google",
            "search",
        ),
        ("android-app://com.example.reader", "com.example.reader", "referral"),
        ("android-app://www.google.com", "www.google.com", "referral"),
        # Rows from before hosts were stored have a name.
        ("Google", "Google", "search"),
        ("Hacker News", "Hacker News", "social"),
        ("localhost", "localhost", "referral"),
        ("(other)", "(other)", "referral"),
        ("[2001:db8::1]", "[2001:db8::1]", "referral"),
    ],
)
def test_place(referrer, name, kind):
    assert names.place(referrer) == (name, kind)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("google", "Google"),
        ("Google", "Google"),
        (" BING ", "Bing"),
        ("facebook.com", "Facebook"),
        ("fb", "Facebook"),
        ("ig", "Instagram"),
        ("chatgpt.com", "ChatGPT"),
        ("mailing", None),
        ("partner.example", None),
    ],
)
def test_source_of_a_campaign_is_found_by_its_name(text, name):
    found = names.named(text)
    assert (found and found.name) == name


def test_each_host_of_the_table_is_in_it_once_and_names_its_place():
    table = tomllib.loads(names.TABLE.read_text(encoding="utf-8"))
    assert table.keys() == channels._OF_KIND.keys()
    seen = set()
    for kind, places in table.items():
        for name, hosts in places.items():
            for host in hosts:
                alone = host.removeprefix("=")
                assert alone not in seen
                seen.add(alone)
                assert names.place(alone.replace(".*", ".de").lower()) == (name, kind)
            assert names.named(name) in {(name, kind), None}


def test_names_that_rows_were_stored_with_are_still_names():
    before = "Google Bing DuckDuckGo Yahoo Yandex Baidu Ecosia Facebook Instagram X"
    more = ("LinkedIn", "Reddit", "YouTube", "Hacker News")
    for name in (*before.split(), *more):
        place = names.place(name)
        assert place.name == name
        assert place.kind != names.REFERRAL
