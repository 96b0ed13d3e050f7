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
from notifier.notification.model import Channel, JsonValue
from notifier.rendering.checking.findings import Findings, Place
from notifier.rendering.checking.mjml import as_page, compiled, with_sizes
from notifier.rendering.engine import Engine
from notifier.rendering.faults import PartError
from notifier.rendering.formats import UTC
from notifier.rendering.including import put_together
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
    default_zone: str = UTC,
    shared: Shared | None,
) -> Rendered | Sequence[VariableFault] | Sequence[Finding]:
    """Fill a content's parts, or say what prevents that.

    A draft's are filled as they would be once it is published, with `shared`.
    """
    findings = Findings()
    place = Place(chosen_locale(content, channel, locale), channel)
    try:
        given = Schema(content.schema or _default_schema(content)).completed(variables)
        if not isinstance(given, Mapping):
            return given
        ready = content if shared is None else _ready(content, shared, place, findings)
        return Parts(ready, Finisher()).filled(
            channel,
            locale=locale,
            variables=given,
            offered=offered,
            now=now,
            default_zone=default_zone,
        )
    except PartError as fault:
        findings.fault(fault, place)
    except LocatedError as error:
        findings.located(error)
    except TemplateError as error:
        return [Finding(severity=Severity.ERROR, code="part-missing", detail=str(error))]
    return findings.told()


def _default_schema(content: Content) -> Mapping[str, JsonValue]:
    """What a partial reads is for who takes it in to declare."""
    return {"additionalProperties": True} if content.is_partial else {}


def _ready(content: Content, shared: Shared, place: Place, findings: Findings) -> Content:
    """Return the content as it would be published, as far as it is to be filled."""
    if place.locale is None or place.channel is None:
        return content
    parts = {"text": ""} if content.is_partial else {}
    for part, source in content.parts[place.locale][place.channel].items():
        try:
            name, text = _put_together(source, place.of(part), content, shared, findings)
        except PartError as fault:
            findings.fault(fault, place.of(part))
            raise LocatedError(fault, place.locale, place.channel, part) from None
        parts[name] = text
    made = {place.locale: {place.channel: parts}}
    return replace(content, parts=made, brand=brand_values(shared.brand))


def _put_together(
    source: str, place: Place, content: Content, shared: Shared, findings: Findings
) -> tuple[str, str]:
    part = place.part or ""
    # What the language cannot read, its own error says better than the compiler's.
    Engine().add(f"preview/{part}", source)
    whole = put_together(source, place, content, shared)
    findings.is_made_of(place, whole.origin)
    if part != "mjml":
        return part, whole.text
    page = as_page(whole.text) if content.is_partial else whole.text
    return "html", compiled(with_sizes(page, shared.brand))
