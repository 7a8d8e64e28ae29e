"""Click ids: what advertising systems and networks add to the address of a page.

Only which one was there is ever stored: its value stands for one click of one person.

Source: the documentation of each system, collected by hand on 2026-11-28.
"""

from typing import NamedTuple


class ClickId(NamedTuple):
    """Of which kind of place the click was, and whether it was paid for."""

    kind: str
    is_paid: bool = True


# Where an address has several, the first of this order counts: what was paid for
# before `fbclid`, which Facebook adds to every link.
CLICK_IDS = {
    "gclid": ClickId("search"),  # Google Ads
    "gbraid": ClickId("search"),  # Google Ads, from apps
    "wbraid": ClickId("search"),  # Google Ads, to the web
    "msclkid": ClickId("search"),  # Microsoft Advertising
    "yclid": ClickId("search"),  # Yandex Direct
    "dclid": ClickId("display"),  # Google's Display & Video 360
    "gad_source": ClickId("search"),  # Google Ads, where the others are left out
    "tblci": ClickId("display"),  # Taboola
    "dicbo": ClickId("display"),  # Outbrain
    "ttclid": ClickId("social"),  # TikTok
    "twclid": ClickId("social"),  # X
    "li_fat_id": ClickId("social"),  # LinkedIn
    "rdt_cid": ClickId("social"),  # Reddit
    "epik": ClickId("social"),  # Pinterest
    "sccid": ClickId("social"),  # Snapchat
    "qclid": ClickId("social"),  # Quora
    "cjevent": ClickId("affiliate"),  # CJ Affiliate
    "awc": ClickId("affiliate"),  # Awin
    "irclickid": ClickId("affiliate"),  # Impact
    "ranmid": ClickId("affiliate"),  # Rakuten Advertising
    "mc_cid": ClickId("email", is_paid=False),  # Mailchimp
    "mc_eid": ClickId("email", is_paid=False),  # Mailchimp
    "fbclid": ClickId("social", is_paid=False),  # Facebook and Instagram
    "igshid": ClickId("social", is_paid=False),  # Instagram
    "igsh": ClickId("social", is_paid=False),  # Instagram
    "srsltid": ClickId("search", is_paid=False),  # Google's free product listings
}
