"""Filling a draft's parts. It runs in a child process."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from notifier.content.brand import brand_values
from notifier.content.ports import Offered
from notifier.content.shared import Shared
from notifier.content.template import (
    Content,
    Finding,
    Rendered,
    Severity,
    VariableFault,
    Variables,
    chosen_locale,
)
from notifier.errors import TemplateError
from notifier.notification.model import Channel
from notifier.rendering.checking.findings import Findings, Place
from notifier.rendering.checking.mjml import compiled
from notifier.rendering.engine import Engine
from notifier.rendering.faults import PartError
from notifier.rendering.pages import Finisher
from notifier.rendering.parts import LocatedError, Parts
from notifier.rendering.schemas import Schema


def preview(
    content: Content,
    channel: Channel,
    *,
    locale: str | None,
    variables: Variables,
    offered: Offered,
    now: str,
    shared: Shared | None,
) -> Rendered | Sequence[VariableFault] | Sequence[Finding]:
    """Fill a content's parts, or say what prevents that.

    A draft's are filled as they would be once it is published, with `shared`.
    """
    findings = Findings()
    place = Place(chosen_locale(content, channel, locale), channel)
    try:
        given = Schema(content.schema).completed(variables)
        if not isinstance(given, Mapping):
            return given
        ready = content if shared is None else _ready(content, shared, place)
        return Parts(ready, Finisher()).filled(
            channel, locale=locale, variables=given, offered=offered, now=now
        )
    except PartError as fault:
        findings.fault(fault, place)
    except LocatedError as error:
        findings.located(error)
    except TemplateError as error:
        return [Finding(severity=Severity.ERROR, code="part-missing", detail=str(error))]
    return findings.told()


def _ready(content: Content, shared: Shared, place: Place) -> Content:
    """Return the content as it would be published, as far as it is to be filled."""
    return replace(_with_html(content, place), brand=brand_values(shared.brand))


def _with_html(content: Content, place: Place) -> Content:
    """Return the content with HTML for the MJML that is to be filled."""
    if place.locale is None or place.channel is None:
        return content
    parts = content.parts[place.locale][place.channel]
    if "mjml" not in parts:
        return content
    try:
        # What the language cannot read, its own error says better than the compiler's.
        Engine().add("preview/mjml", parts["mjml"])
        html = compiled(parts["mjml"])
    except PartError as fault:
        raise LocatedError(fault, place.locale, place.channel, "mjml") from None
    done = {place.channel: {**parts, "html": html}}
    return replace(content, parts={place.locale: done})
