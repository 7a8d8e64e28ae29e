"""What a site's stored labels mean: who came from outside, whence, by which channel.

Pure: made of the site's settings and the tables of this package. Ingest stores the
referrer's host as it was sent; all of this is applied on reading, so that a change of
the settings or of a table holds for the past as well.
"""

import hashlib
import json
import tomllib
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from analytics.sources import channels, names
from analytics.sources.channels import Arrival
from analytics.sources.click_ids import CLICK_IDS
from analytics.sources.hosts import Hosts, normal, own

EXCLUDED = Path(__file__).with_name("excluded_hosts.toml")
# To be raised with a change of what this package's code makes of the tables.
_VERSION = 1


class Labelled(Protocol):
    """The labels of a stored context; `questions.labels.Labels` is one."""

    @property
    def referrer(self) -> str: ...
    @property
    def utm_source(self) -> str: ...
    @property
    def utm_medium(self) -> str: ...
    @property
    def utm_campaign(self) -> str: ...
    @property
    def utm_term(self) -> str: ...
    @property
    def utm_content(self) -> str: ...
    @property
    def click_id(self) -> str: ...


class Configured(Protocol):
    """The settings of a site that decide about sources; a `Site` is one."""

    domain: str
    allowed_hosts: Any
    excluded_referrers: Any
    channels: Any


class Source(NamedTuple):
    """Whence somebody came; `""` where there is nothing to say, but a channel."""

    referrer: str = ""
    channel: str = channels.DIRECT
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    utm_term: str = ""
    utm_content: str = ""


# Of who came without an arrival.
DIRECT = Source()


class Rules:
    """The rules of one site."""

    def __init__(
        self,
        domain: str,
        allowed_hosts: tuple[str, ...],
        excluded_referrers: tuple[str, ...],
        own_channels: tuple[channels.Rule, ...],
    ) -> None:
        self._own = own(domain, allowed_hosts)
        added = [host for host in excluded_referrers if not host.startswith("!")]
        self._excluded = Hosts([*excluded_by_default(), *added])
        self._kept = Hosts(
            host[1:] for host in excluded_referrers if host.startswith("!")
        )
        self._channels = own_channels
        told = (domain, allowed_hosts, excluded_referrers, own_channels)
        # What answers depend on: whatever is kept of them is valid with this only.
        self.digest: bytes = hashlib.blake2b(
            json.dumps(told).encode() + _tables(), digest_size=16
        ).digest()

    def owns(self, host: str) -> bool:
        """Whether the host, in its normal spelling, is one of the site's own."""
        return self._own.covers(host)

    def outside(self, host: str) -> bool:
        """Whether who came from this stored referrer came from elsewhere.

        Not from the site's own hosts, nor from those excluded; `""` is nowhere.
        """
        if not host or self._own.covers(host):
            return False
        return not self._excluded.covers(host) or self._kept.covers(host)

    def is_arrival(self, labels: Labelled) -> bool:
        """Whether an event with these labels has a source of its own."""
        return self.outside(labels.referrer) or any(
            (
                labels.utm_source,
                labels.utm_medium,
                labels.utm_campaign,
                labels.utm_term,
                labels.utm_content,
                labels.click_id,
            )
        )

    def referrer(self, host: str) -> str:
        """What a stored referrer is called, `""` for one that is not outside."""
        return names.place(host).name if self.outside(host) else ""

    def source(self, labels: Labelled) -> Source:
        """The source of an event with these labels, by themselves."""
        referrer = labels.referrer if self.outside(labels.referrer) else ""
        arrival = Arrival(
            referrer,
            labels.utm_source,
            labels.utm_medium,
            labels.utm_campaign,
            labels.click_id,
        )
        return Source(
            self.referrer(referrer),
            channels.channel(arrival, self._channels),
            labels.utm_source,
            labels.utm_medium,
            labels.utm_campaign,
            labels.utm_term,
            labels.utm_content,
        )

    def campaign_kind(self, campaign: str) -> channels.CampaignKind:
        """Campaigns of one kind do not differ in their channel."""
        return channels.campaign_kind(campaign, self._channels)

    @property
    def channels(self) -> tuple[str, ...]:
        """All channels that there can be, the site's own first."""
        ours = (rule.channel for rule in self._channels)
        return tuple(dict.fromkeys((*ours, *channels.CHANNELS)))


def rules_of(site: Configured) -> Rules:
    return _rules(
        site.domain,
        tuple(site.allowed_hosts),
        tuple(site.excluded_referrers),
        tuple(map(channels.Rule.read, site.channels)),
    )


# Each has its lists of hosts; making one takes less than a millisecond.
_rules = lru_cache(maxsize=256)(Rules)


@cache
def excluded_by_default() -> tuple[str, ...]:
    """Payment providers and hosts where people sign in."""
    table = tomllib.loads(EXCLUDED.read_text(encoding="utf-8"))
    return tuple(normal(host) for hosts in table.values() for host in hosts)


@cache
def _tables() -> bytes:
    """A digest of what is the same for all sites."""
    told = repr((_VERSION, channels.CHANNELS, CLICK_IDS)).encode()
    return hashlib.blake2b(
        told + names.TABLE.read_bytes() + EXCLUDED.read_bytes(), digest_size=16
    ).digest()
