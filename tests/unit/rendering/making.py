"""Contents and versions, for the tests of rendering."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from notifier.content.brand import Brand
from notifier.content.library import Partial
from notifier.content.ports import Checked, Offered
from notifier.content.shared import Shared
from notifier.content.template import Content, Rendered, TemplateVersion, Variables
from notifier.errors import TemplateError
from notifier.notification.model import Channel, JsonValue
from notifier.notification.sms import SmsRules
from notifier.rendering.checking import check as checking
from notifier.rendering.renderer import VersionRenderer

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
OPEN: Mapping[str, JsonValue] = {"type": "object", "additionalProperties": True}


def a_partial(**texts: str) -> Partial:
    """One for SMS, with a text in each of these languages."""
    parts = {tag: {Channel.SMS: {"text": text}} for tag, text in texts.items()}
    return Partial(1, Content(default_locale="en", parts=parts, schema={}, is_partial=True))


SHARED = Shared(
    brand=Brand(name="Evently"),
    switchable=frozenset({"news"}),
    partials={
        "round": a_partial(en='{% include "round" %}'),
        "bye": a_partial(en="Bye", fr="Au revoir"),
    },
)


class StandingClock:
    """A clock at NOW."""

    def now(self) -> datetime:
        return NOW

    def monotonic_s(self) -> float:
        return 0.0


def content(
    parts: Mapping[str, Mapping[Channel, Mapping[str, str]]],
    *,
    schema: Mapping[str, JsonValue] = OPEN,
    examples: Sequence[Variables] = (),
    default_locale: str = "en",
) -> Content:
    return Content(
        default_locale=default_locale, parts=parts, schema=schema, examples=list(examples)
    )


def email(**parts: str) -> Content:
    """A content of one email in English, with what an email must have."""
    return content({"en": {Channel.EMAIL: {"subject": "Hello", "text": "Hello", **parts}}})


def sms(text: str, **others: str) -> Content:
    """A content of one SMS in English, and in other locales."""
    return content(
        {tag: {Channel.SMS: {"text": each}} for tag, each in {"en": text, **others}.items()}
    )


def version(of: Content, *, id: UUID | None = None) -> TemplateVersion:
    return TemplateVersion(
        id=id or uuid4(),
        service="orders",
        name="otp",
        number=1,
        content=of,
        checksum="00",
        created_at=NOW,
    )


def offered(time_zone: str | None = None, **recipient: JsonValue) -> Offered:
    zone: dict[str, JsonValue] = {} if time_zone is None else {"time_zone": time_zone}
    return Offered(notification={"id": "n-1"}, recipient={**zone, **recipient})


def check(of: Content, shared: Shared = SHARED) -> Checked:
    """All that is found in a content."""
    return checking.check(of, shared, SmsRules())


RENDERER = VersionRenderer(StandingClock())
"""One for all of a process's tests: what it fills aside has one child."""


def fill(of: TemplateVersion, channel: Channel, **given: Any) -> Rendered:
    """What a version's parts of a channel say, or fail with."""
    # Where a loop runs already, another one needs a thread.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, RENDERER.render(of, channel, **given)).result()


def rendered(
    of: Content,
    channel: Channel = Channel.EMAIL,
    *,
    locale: str | None = "en",
    time_zone: str | None = None,
    **variables: Any,
) -> Rendered:
    return fill(
        version(of), channel, locale=locale, variables=variables, offered=offered(time_zone)
    )


def line(source: str, *, locale: str = "en", time_zone: str | None = None, **variables: Any) -> str:
    """What an SMS of that source says, in that locale."""
    of = content({locale: {Channel.SMS: {"text": source}}}, default_locale=locale)
    return rendered(of, Channel.SMS, locale=locale, time_zone=time_zone, **variables).text


def refusal(source: str, *, locale: str = "en", **variables: Any) -> str:
    """Why an SMS of that source cannot be filled."""
    try:
        filled = line(source, locale=locale, **variables)
    except TemplateError as error:
        return str(error)
    raise AssertionError(f"it was filled: {filled[:200]!r}")
