"""The ready-made templates, filled: for tests of what is sent, and of how it looks."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from notifier.commands.folders import READY_MADE
from notifier.commands.syncing import content_of
from notifier.content.brand import Brand
from notifier.content.library import Partial
from notifier.content.ports import Offered
from notifier.content.shared import Shared
from notifier.content.template import Content, Rendered, TemplateVersion
from notifier.notification.model import Channel
from notifier.rendering.checking.check import check
from tests.unit.rendering.making import RENDERER, fill, offered, version

LAYOUT = "mail"
NAMES = [name for name in READY_MADE.names() if name != LAYOUT]
LOCALES = ("en", "de")
WHOLE = Brand(
    name="Evently",
    url="https://evently.example.com",
    logo_url="https://evently.example.com/logo.png",
    postal_address="Example Street 1\n1010 Vienna",
    support_email="help@evently.example.com",
    support_phone="+43 1 2345678",
)


@cache
def content(name: str) -> Content:
    """A ready-made template, or the layout of all of them."""
    found = content_of(READY_MADE, name)
    assert isinstance(found, Content), found
    return found


def shared(brand: Brand = WHOLE) -> Shared:
    """What they show of a brand, and their layout."""
    return Shared(brand=brand, partials={LAYOUT: Partial(1, content(LAYOUT))})


@cache
def published(name: str, brand: Brand = WHOLE) -> TemplateVersion:
    """A version of one, as it is filled."""
    checked = check(content(name), shared(brand))
    assert checked.compiled is not None, checked.findings
    return version(checked.compiled)


def filled(
    name: str,
    variables: Mapping[str, Any],
    channel: Channel = Channel.EMAIL,
    locale: str = "en",
    brand: Brand = WHOLE,
    given_by_us: Offered | None = None,
) -> Rendered:
    """What one says with these variables and its defaults."""
    of = published(name, brand)
    given = RENDERER.completed(of, variables)
    assert isinstance(given, Mapping), given
    return fill(of, channel, locale=locale, variables=given, offered=given_by_us or offered())


def page_of(name: str, locale: str, brand: Brand = WHOLE) -> str:
    """The HTML of one's mail, filled with its first example."""
    return filled(name, content(name).examples[0], locale=locale, brand=brand).html or ""
