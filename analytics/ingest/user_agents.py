"""Read user agents: detect programs, and derive coarse labels.

Pure. Patterns come from packages (crawler-user-agents, ua-parser) and from this file;
`python -m benchmarks.user_agents` measures them. User agents are untrusted, so all
matching is linear in their length.
"""

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import NamedTuple

import re2
import ua_parser
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from ua_parser.loaders import load_lazy_builtins

# Strings longer than this are cut before parsing; real ones stay under 300.
_MAX_LENGTH = 512
MAX_LABEL = 64
# A busy day shows a few thousand distinct strings; entries are about 1 KiB.
_CACHE_SIZE = 8_192


class Agent(NamedTuple):
    """Labels are `""` where unknown.

    device: one of `questions.labels.DEVICES`.
    """

    is_crawler: bool
    device: str
    browser: str
    os: str


def _compile(patterns: Iterable[str], *, case_sensitive: bool = False) -> "re2._Regexp":
    options = re2.Options()
    options.max_mem = 64 << 20
    options.case_sensitive = case_sensitive
    return re2.compile("|".join(f"(?:{pattern})" for pattern in patterns), options)


# Every browser has at least one of these, including old phones, TVs and consoles.
# Without one it is a program, known or not: curl/8.5.0, kube-probe/1.29,
# ELB-HealthChecker/2.0, Go-http-client/2.0, axios/1.7.2.
_BROWSER = _compile(
    [
        *("Mozilla/", "Opera", r"\bOPR/", "WebKit", "Gecko", "MSIE", "Browser"),
        *("Android", "Symbian", "Series ?[34689]0", "BlackBerry", "BREW", "Nintendo"),
        *("MIDP", "CLDC", "WAP", "MAUI", "Profile/", "UP.Link", "UCWEB", "Obigo"),
        *("Teleca", "NetFront", "DoCoMo/", "HbbTV", "Smart-?TV", "NETTV"),
        *("^E?Links", "^Lynx", "^w3m", "Mosaic", "^Dillo", "^Palmscape", "^Xiino"),
    ]
)
# Only programs have these, anywhere in the string.
_PROGRAM = _compile(
    [
        # A contact address. Ecosia's browser says android@143.0, hence the letter.
        *("https?:", r"www\.", r"[\w.+-]@[\w-]+\.[a-z]"),
        *(
            r"bots?\b",
            "bots?_",
            "robot",
            "crawl",
            "spider",
            "slurp",
            "scrap",
            "indexer",
        ),
        *("scan", "monitor", "check", "probe", "uptime", "audit", "survey", "research"),
        *("measure", "diagnos", "observatory", "inspector", "page ?speed", "gtmetrix"),
        *("fetch", "preview", "prerender", "valid", "archiv", "external"),
        *(
            r"[a-z]proxy\b",
            "transcoder",
            "headless",
            "lighthouse",
            "pingdom",
            "phantom",
            "selenium",
        ),
        *("puppeteer", "playwright", "cypress", "analy[sz]er", "; ?google[- ]"),
        # Attempts to exploit Log4j: ${jndi:ldap://...}
        *(r"\$\{",),
        # Only the beginning of a browser's string: Mozilla/5.0, or with one product
        # after it.
        *(r"^Mozilla/[0-9.]+(?: [\w-]+(?:/[\w.-]+)?)?$", r"\(compatible;?\)$"),
    ]
)
# Programs have "compatible; Name". The only browsers that did are these old ones.
_COMPATIBLE = _compile([r"compatible; *([^;/ )]*)"])
_COMPATIBLE_BROWSERS = frozenset(
    [
        *("MSIE", "Konqueror", "Gecko", "U", "Linux", "Windows", "IBrowse"),
        *("NetPositive", "OffByOne", "Polaris", "ANTGalio", "NCBrowser"),
    ]
)
# Patterns of the package that match browsers: Sogou's, the Mac app Fluid, Viber's
# in-app browser, and phones whose model ends in 008.
_TOO_BROAD = {"Sogou", "Fluid", "Viber", r"008\/"}
_CRAWLER = _compile(
    (
        entry["pattern"]
        for entry in CRAWLER_USER_AGENTS_DATA
        if entry["pattern"] not in _TOO_BROAD
    ),
    case_sensitive=True,
)
# Removed before words are searched, up to the end of the comment: phones are named
# Cubot, Spider 8 or ViewSonic, and the package lists a common build of Android 15.
# Python's re is linear here: a match never backtracks.
_PHONE = re.compile("Android[^)]*", re.IGNORECASE)


@cache
def _parser() -> ua_parser.Parser:
    """Not the package's own parser, whose cache would keep user agents forever."""
    return ua_parser.Parser(ua_parser.BestAvailableResolver(load_lazy_builtins()))


def parse(user_agent: str) -> Agent:
    # Cut before it is remembered: strangers may send 64 KiB.
    return _parse(user_agent[:_MAX_LENGTH])


def forget() -> None:
    """Drop the user agents that this module remembers."""
    _parse.cache_clear()


@lru_cache(maxsize=_CACHE_SIZE)
def _parse(user_agent: str) -> Agent:
    parsed = _parser().parse(user_agent)
    is_crawler = is_program(user_agent)
    return Agent(
        is_crawler=is_crawler,
        device="" if is_crawler else _device(user_agent),
        browser=_label(parsed.user_agent),
        os=_label(parsed.os),
    )


def is_program(user_agent: str) -> bool:
    """Return whether a program sent it, not a browser used by a person."""
    if _BROWSER.search(user_agent) is None:
        return True
    said = _PHONE.sub("", user_agent)
    claim = _COMPATIBLE.search(said)
    return (
        (claim is not None and claim[1] not in _COMPATIBLE_BROWSERS)
        or _PROGRAM.search(said) is not None
        or _CRAWLER.search(said) is not None
    )


def _label(parsed: ua_parser.UserAgent | ua_parser.OS | None) -> str:
    """Return the family, cut to the column's length: some are the whole string."""
    return parsed.family[:MAX_LABEL] if parsed else ""


_CONSOLE = _compile(
    ["PlayStation", "Xbox", "Nintendo", r"\bWii\b", "OUYA", "GAMEPAD", "Retroid"]
)
_TV = _compile(
    [
        # Phones with a TV tuner end in DTV.
        *("Smart-?TV", r"[^D]TV\b", r"\(DTV\b", "HbbTV", "NetTV", "CE-HTML", r"\bOMI/"),
        *("Web0S", "NetCast", "BRAVIA", "VIDAA", "Viera", "Roku", "CrKey", "MiBOX"),
        # Models of Fire TV.
        *(r"\bAFT[A-Z]", "Chromecast", "BrightSign", "Large Screen"),
    ]
)
_PHONE_OF_OLD = _compile(
    [
        *(
            "MIDP",
            "CLDC",
            "UP.Browser",
            "UP.Link",
            "WAP",
            "MAUI",
            "DoCoMo/",
            "UCBrowser",
        ),
        *(
            "Windows Phone",
            "Windows CE",
            "BlackBerry",
            "Symbian",
            "KAIOS",
            "Series ?[346]0",
        ),
    ]
)


def _device(user_agent: str) -> str:
    """Return the device by words that browsers use; Android without any is a tablet."""
    if _CONSOLE.search(user_agent):
        return "Console"
    if _TV.search(user_agent):
        return "TV"
    if "iPad" in user_agent or "Tablet" in user_agent:
        return "Tablet"
    if "Mobi" in user_agent or "iPhone" in user_agent:
        return "Mobile"
    if "Android" in user_agent:
        # Browsers on phones have "Mobile". Other apps have neither word.
        return "Tablet" if "Gecko" in user_agent else "Mobile"
    return "Mobile" if _PHONE_OF_OLD.search(user_agent) else "Desktop"
