"""The brand of a service: what its templates say and look like in common, as `brand.*`.

Every field is always there, so that templates may ask for it; what is not known is null. What
stands in links and styles is checked here, since escaping does not help there.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Protocol
from urllib.parse import urlsplit

from notifier.content.library import Outrun, Renewals
from notifier.content.links import link_fault
from notifier.idempotency import Applied, Idempotency, KeyReused, LostRace, Remembered
from notifier.notification.model import JsonValue

URLS = frozenset({"url", "logo_url", "logo_dark_url", "support_url"})
"""What a link or a picture may begin with."""
COLORS = frozenset({"color", "on_color", "text_color", "muted_color", "background_color"})
SIZES = frozenset({"logo_width", "radius"})
"""In pixels, without a unit."""
STYLES = COLORS | SIZES | {"font_family"}
"""What a style may have."""

COLOR_PATTERN = r"^#[0-9a-fA-F]{6}$"
FONT_PATTERN = r"^[A-Za-z0-9 ,-]{1,200}$"
URL_PATTERN = r"^https://[A-Za-z0-9._~:/?#@!$&()*+,;=%\[\]-]{1,2000}$"
_URL = re.compile(URL_PATTERN[:-1] + r"\Z")
PHONE_PATTERN = r"^\+?[0-9][0-9 ()/-]{2,38}$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """Who writes, and how that looks."""

    name: str
    url: str | None = None
    logo_url: str | None = None
    logo_dark_url: str | None = None
    """For dark backgrounds."""
    logo_width: int = 160
    color: str = "#1d4ed8"
    """Of buttons and links."""
    on_color: str = "#ffffff"
    """Of text on `color`."""
    text_color: str = "#1f2937"
    muted_color: str = "#6b7280"
    background_color: str = "#f3f4f6"
    font_family: str = "Helvetica, Arial, sans-serif"
    radius: int = 6
    """Of corners."""
    postal_address: str | None = None
    """Lines of it."""
    support_email: str | None = None
    support_url: str | None = None
    support_phone: str | None = None


NAMES = frozenset(each.name for each in fields(Brand))


def brand_values(brand: Brand) -> Mapping[str, JsonValue]:
    """Return it as templates see it."""
    return asdict(brand)


def is_brand_url(text: str) -> bool:
    """Whether it is an address that mails may show: by https, and of a host with a name."""
    if not _URL.match(text) or link_fault(text, schemes=frozenset({"https"})):
        return False
    place = urlsplit(text).netloc
    return "." in place and "@" not in place


@dataclass(frozen=True, slots=True)
class KeptBrand:
    """A brand, and what tells its states apart."""

    brand: Brand
    etag: str


class BrandStore(Protocol):
    """The brand of each service."""

    async def brand(self, service: str) -> KeptBrand:
        """Return the brand; one of defaults, with the service's name, if it has none."""

    async def save(
        self,
        *,
        service: str,
        brand: Brand,
        if_match: str | None,
        cascade: Renewals | None = None,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused | LostRace | Outrun:
        """Store a brand in place of the one with this etag; of any with None.

        With a cascade others get new versions, all at once; `Outrun` names those that cannot.
        """


def brand_etag(brand: Brand) -> str:
    """Return what tells this brand from others."""
    encoded = json.dumps(asdict(brand), sort_keys=True)
    return hashlib.sha256(encoded.encode()).hexdigest()


def default_brand(service: str) -> Brand:
    """Return the brand of a service that has not said anything of it."""
    return Brand(name=service)
