"""From what somebody wants to send to a notification that can be accepted: the rules, once.

Whoever makes notifications, over HTTP, from the command line or by itself, goes by these.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from notifier.audience.recipient import has_control_characters, normalise
from notifier.clock import Clock
from notifier.content.filling import Variables, fill_html, fill_text
from notifier.errors import RecipientError, TemplateError
from notifier.intake.ports import Submission
from notifier.notification.medium import MEDIA, Medium
from notifier.notification.model import Channel, JsonValue, Lane, OnUnknown

MAX_CONTENT_CHARS = 100_000
MAX_HTML_CHARS = 500_000
MAX_SUBJECT_CHARS = 998
MAX_DELAY = timedelta(days=366)
_DRAFTS_PER_TURN = 5
_JUDGED_BY: Mapping[str, Sequence[str]] = {
    "type": (),
    "sensitive": ("type",),
    "recipient": ("type",),
    "content": ("type", "variables"),
    "subject": ("type", "variables"),
    "html": ("type", "variables"),
    "send_at": (),
    "expires_at": ("send_at",),
}
_NOT_ONE_LINE = "control characters and line breaks are not allowed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What somebody wants to send, as it came: times are aware, nothing else is checked."""

    channel: Channel
    recipient: str
    content: str
    subject: str | None = None
    html: str | None = None
    variables: Mapping[str, JsonValue] | None = None
    lane: Lane = Lane.NORMAL
    metadata: Mapping[str, str] | None = None
    send_at: datetime | None = None
    expires_at: datetime | None = None
    sensitive: bool = False
    on_unknown: OnUnknown | None = None


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with one field of a draft, in words that do not repeat it.

    `field` is named as clients name it: a draft's channel is its `type`.
    """

    field: str
    words: str

    def rests_on(self, fields: Collection[str]) -> bool:
        """Whether it was judged by one of these fields."""
        return self.field in fields or any(each in fields for each in _JUDGED_BY[self.field])


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafter:
    """Makes submissions of drafts, for the channels that are on."""

    clock: Clock
    new_id: Callable[[], UUID]
    """Makes time-ordered ids (UUIDv7)."""
    channels: frozenset[Channel]

    async def submissions(
        self, drafts: Sequence[Draft], *, service: str, traceparent: str | None = None
    ) -> Sequence[Submission | list[Flaw]]:
        """Return a submission of `service` for each draft, or all that is wrong with it.

        Many take a while: other tasks get their turn in between.
        """
        now = self.clock.now()
        made: list[Submission | list[Flaw]] = []
        for index, draft in enumerate(drafts, 1):
            made.append(self._submission(draft, service, traceparent, now))
            if index % _DRAFTS_PER_TURN == 0:
                await asyncio.sleep(0)
        return made

    def _submission(
        self, draft: Draft, service: str, traceparent: str | None, now: datetime
    ) -> Submission | list[Flaw]:
        flaws = _flaws(draft, self.channels, now)
        recipient = _recipient(draft)
        if isinstance(recipient, Flaw):
            flaws.append(recipient)
        if flaws or isinstance(recipient, Flaw):
            return flaws
        return Submission(
            id=self.new_id(),
            service=service,
            channel=draft.channel,
            lane=draft.lane,
            recipient=recipient,
            content=draft.content,
            subject=draft.subject,
            html=draft.html,
            variables=draft.variables,
            metadata=draft.metadata,
            send_at=_later(draft.send_at, now),
            expires_at=draft.expires_at,
            sensitive=draft.sensitive,
            on_unknown=draft.on_unknown,
            traceparent=traceparent,
        )


def _recipient(draft: Draft) -> str | Flaw:
    try:
        return normalise(draft.channel, draft.recipient)
    except RecipientError as error:
        return Flaw("recipient", str(error))


def _flaws(draft: Draft, channels: frozenset[Channel], now: datetime) -> list[Flaw]:
    medium, variables = MEDIA[draft.channel], draft.variables or {}
    faults = (
        ("type", _channel_fault(draft.channel, channels)),
        ("sensitive", _sensitive_fault(medium, sensitive=draft.sensitive)),
        ("content", _content_fault(medium, draft.content, variables)),
        ("subject", _subject_fault(medium, draft.subject, variables)),
        ("html", _html_fault(medium, draft.html, variables)),
        ("send_at", _send_at_fault(draft.send_at, now)),
        ("expires_at", _expires_at_fault(draft.expires_at, draft.send_at, now)),
    )
    return [Flaw(field, words) for field, words in faults if words]


def _channel_fault(channel: Channel, on: frozenset[Channel]) -> str | None:
    return None if channel in on else f"{channel} is turned off here"


def _sensitive_fault(medium: Medium, *, sensitive: bool) -> str | None:
    if sensitive and not medium.may_be_sensitive:
        return "an inbox shows its content, so in_app notifications cannot be sensitive"
    return None


def _content_fault(medium: Medium, content: str, variables: Variables) -> str | None:
    return _filling_fault(fill_text, content, variables, max_chars=medium.max_text_chars)


def _subject_fault(medium: Medium, subject: str | None, variables: Variables) -> str | None:
    if subject is None:
        return f"{medium.name} needs a subject" if medium.needs_subject else None
    if not medium.has_subject:
        return f"{medium.name} has no subject"
    if has_control_characters(subject):
        return _NOT_ONE_LINE
    return _filling_fault(fill_text, subject, variables, max_chars=MAX_SUBJECT_CHARS, is_line=True)


def _html_fault(medium: Medium, html: str | None, variables: Variables) -> str | None:
    if html is None:
        return None
    if not medium.has_html:
        return "only an email has html"
    return _filling_fault(fill_html, html, variables, max_chars=MAX_HTML_CHARS)


def _send_at_fault(send_at: datetime | None, now: datetime) -> str | None:
    if send_at is not None and send_at > now + MAX_DELAY:
        return "expected a time at most a year ahead"
    return None


def _expires_at_fault(
    expires_at: datetime | None, send_at: datetime | None, now: datetime
) -> str | None:
    if expires_at is None:
        return None
    if expires_at <= now:
        return "expected a time in the future"
    if send_at is not None and expires_at <= send_at:
        return "expected a time after send_at"
    return None


def _filling_fault(
    fill: Callable[..., str],
    template: str,
    variables: Variables,
    *,
    max_chars: int,
    is_line: bool = False,
) -> str | None:
    try:
        text = fill(template, variables, max_chars=max_chars)
    except TemplateError as error:
        return str(error)
    if is_line and has_control_characters(text):
        return _NOT_ONE_LINE
    return None if text.strip() else "empty once its variables are filled in"


def _later(send_at: datetime | None, now: datetime) -> datetime | None:
    """Return the time to send at; None for at once."""
    return send_at if send_at and send_at > now else None
