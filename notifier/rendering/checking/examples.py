"""Every example in every locale and channel, filled as it would be sent."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from notifier.audience.recipient import NOT_ONE_LINE, has_control_characters
from notifier.content.links import link_fault, written_links
from notifier.content.ports import example_offered
from notifier.content.template import Content, Rendered, Variables
from notifier.errors import TemplateError
from notifier.notification.model import Channel
from notifier.notification.sms import SmsRules, sms_size
from notifier.rendering.checking.contexts import check_page
from notifier.rendering.checking.findings import Findings, Place
from notifier.rendering.checking.pages import Page, PageChecks
from notifier.rendering.limits import FUEL
from notifier.rendering.pages import Finisher
from notifier.rendering.parts import LocatedError, Parts
from notifier.rendering.schemas import Schema

_LONG_SUBJECT = 150
_CLIPPED_BYTES = 102_400
"""Gmail shows no more of a message."""
_NOW = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
_OFFERED = replace(
    example_offered("01890a5d-ac96-774b-bcce-b302099a8057"),
    recipient={"id": "user", "locale": None, "time_zone": "UTC", "attributes": {}},
)


def check_examples(
    content: Content, written: Content, schema: Schema, sms: SmsRules, findings: Findings
) -> None:
    """Fill each example, and what is left of it without what is optional.

    `written` is the content before its MJML was made HTML.
    """
    finisher = _Watched()
    half = Parts(content, finisher, FUEL // 2)
    full = Parts(content, finisher)
    pages = PageChecks(findings)
    for number, variables in _examples(content, schema, findings):
        for locale, channels in content.parts.items():
            for channel in channels:
                place = Place(locale, channel)
                done = _filled(half, full, place, variables, findings)
                if done:
                    _check_filled(done, place, f"example {number}", findings)
                    if done.html is not None:
                        pages.check(_page(finisher.given, done.text, written, place))
                    if channel is Channel.SMS:
                        _check_sms(done.text, sms, place.of("text"), findings)


class _Watched(Finisher):
    """Keeps the page that it was given last: what it makes of that has its broken tags mended."""

    given = ""

    def finished(self, html: str, preheader: str | None, *, needs_inlining: bool) -> str:
        self.given = html
        return super().finished(html, preheader, needs_inlining=needs_inlining)


def _page(html: str, text: str, written: Content, place: Place) -> Page:
    assert place.locale  # noqa: S101  said by the caller
    assert place.channel  # noqa: S101
    sources = written.parts[place.locale][place.channel]
    part = "mjml" if "mjml" in sources else "html"
    return Page(html, text, sources[part], place.of(part))


def _examples(
    content: Content, schema: Schema, findings: Findings
) -> Iterator[tuple[int, Variables]]:
    examples = list(content.examples)
    if not examples and schema.required:
        findings.warning("examples-missing", "without an example nothing was filled to look at it")
        return
    for number, given in enumerate(examples or [{}], 1):
        completed = schema.completed(given)
        if not isinstance(completed, Mapping):
            words = "; ".join(f"{_path(each.path)} {each.words}" for each in completed)
            findings.error("example-invalid", f"example {number}: {words[:500]}")
            continue
        yield number, completed
        optional = set(schema.names) - set(schema.required)
        least = schema.completed({name: given[name] for name in given if name not in optional})
        if isinstance(least, Mapping) and least != completed:
            yield number, least


def _filled(
    half: Parts, full: Parts, place: Place, variables: Variables, findings: Findings
) -> Rendered | None:
    try:
        return _fill(half, place, variables)
    except LocatedError as error:
        if error.fault.code != "too-complex":
            findings.located(error)
            return None
    except TemplateError:
        return None
    try:
        done = _fill(full, place, variables)
    except LocatedError as error:
        findings.located(error)
        return None
    words = "an example takes more than half of the work that is allowed"
    findings.warning("nearly-too-complex", words, place)
    return done


def _fill(parts: Parts, place: Place, variables: Variables) -> Rendered:
    assert place.channel  # noqa: S101  said by the caller
    return parts.filled(
        place.channel, locale=place.locale, variables=variables, offered=_OFFERED, now=_NOW
    )


def _check_filled(done: Rendered, place: Place, example: str, findings: Findings) -> None:
    for part, text in (("text", done.text), ("subject", done.subject)):
        if text is not None and not text.strip():
            findings.error("empty", f"{example}: nothing is left of it", place.of(part))
    _check_subject(done.subject or "", place.of("subject"), example, findings)
    for link in written_links(done.text):
        if fault := link_fault(link):
            findings.error("link", f"a link in the text: {fault}", place.of("text"))
    if done.html is not None:
        _check_html(done.html, place.of("html"), findings)


def _check_subject(subject: str, place: Place, example: str, findings: Findings) -> None:
    if has_control_characters(subject):
        findings.error("control-characters", f"{example}: {NOT_ONE_LINE}", place)
    if len(subject) > _LONG_SUBJECT:
        words = f"{example}: longer than {_LONG_SUBJECT} characters"
        findings.warning("subject-long", words, place)


def _check_html(html: str, place: Place, findings: Findings) -> None:
    if len(html.encode()) > _CLIPPED_BYTES:
        findings.warning("html-clipped", "longer than 102,400 bytes, where Gmail cuts", place)
    check_page(html, lambda code, words, _line: findings.error(code, words, place))


def _check_sms(text: str, sms: SmsRules, place: Place, findings: Findings) -> None:
    sent = sms.sent(text)
    size = sms_size(sent)
    if fault := sms.fault(sent, size):
        findings.error("segments", f"an example is {fault}", place)
    elif size.segments > 1:
        words = f"an example is {size.segments} messages in {size.encoding}"
        findings.warning("segments", words, place)


def _path(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path)) or "it"
