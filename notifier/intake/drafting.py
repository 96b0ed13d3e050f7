"""From what somebody wants to send to a notification that can be accepted: the rules, once.

Whoever makes notifications, over HTTP, from the command line or by itself, goes by these.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from notifier.audience.recipient import has_control_characters, normalise
from notifier.clock import Clock
from notifier.content.filling import fill_html, fill_text
from notifier.errors import RecipientError, TemplateError
from notifier.intake.ports import Submission
from notifier.notification.medium import MEDIA, Medium
from notifier.notification.model import Channel, JsonValue, Lane, OnUnknown

MAX_CONTENT_CHARS = 100_000
MAX_HTML_CHARS = 500_000
MAX_SUBJECT_CHARS = 998
MAX_DELAY = timedelta(days=366)


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
    """What is wrong with one field of a draft, in words that do not repeat it."""

    field: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafter:
    """Makes submissions of drafts, for the channels that are on."""

    clock: Clock
    new_id: Callable[[], UUID]
    """Makes time-ordered ids (UUIDv7)."""
    channels: frozenset[Channel]

    def submission(self, draft: Draft, *, service: str) -> Submission | list[Flaw]:
        """Return a submission of `service`, or all that is wrong with the draft."""
        now = self.clock.now()
        if flaws := list(_flaws(draft, self.channels, now)):
            return flaws
        return Submission(
            id=self.new_id(),
            service=service,
            channel=draft.channel,
            lane=draft.lane,
            recipient=normalise(draft.channel, draft.recipient),
            content=draft.content,
            subject=draft.subject,
            html=draft.html,
            variables=draft.variables,
            metadata=draft.metadata,
            send_at=later(draft.send_at, now),
            expires_at=draft.expires_at,
            sensitive=draft.sensitive,
            on_unknown=draft.on_unknown,
        )


def _flaws(draft: Draft, channels: frozenset[Channel], now: datetime) -> Iterator[Flaw]:
    medium, variables = MEDIA[draft.channel], draft.variables or {}
    rules: Mapping[str, Callable[[], object]] = {
        "type": partial(check_channel, draft.channel, channels),
        "recipient": partial(normalise, draft.channel, draft.recipient),
        "sensitive": partial(check_sensitive, medium, sensitive=draft.sensitive),
        "content": partial(check_content, medium, draft.content, variables),
        "subject": partial(check_subject, medium, draft.subject, variables),
        "html": partial(check_html, medium, draft.html, variables),
        "send_at": partial(check_send_at, draft.send_at, now),
        "expires_at": partial(check_expires_at, draft.expires_at, draft.send_at, now),
    }
    for field, check in rules.items():
        try:
            check()
        except (ValueError, RecipientError) as error:
            yield Flaw(field, str(error))


def check_channel(channel: Channel, on: frozenset[Channel]) -> None:
    """Raise ValueError for a channel that is off."""
    if channel not in on:
        message = f"{channel} is turned off here"
        raise ValueError(message)


def check_sensitive(medium: Medium, *, sensitive: bool) -> None:
    """Raise ValueError for what cannot be kept from being read later."""
    if sensitive and not medium.may_be_sensitive:
        message = "an inbox shows its content, so in_app notifications cannot be sensitive"
        raise ValueError(message)


def check_content(
    medium: Medium | None, content: str, variables: Mapping[str, JsonValue] | None
) -> None:
    """Raise ValueError for a text that cannot be filled, or is empty or too long then.

    Here and below, what is None is wrong itself, or not known: no rule that needs it is applied.
    """
    most = medium.max_text_chars if medium else MAX_CONTENT_CHARS
    _filled(content, variables, max_chars=most)


def check_subject(
    medium: Medium | None, subject: str | None, variables: Mapping[str, JsonValue] | None
) -> None:
    """Raise ValueError for a subject that lacks, or has no place, or is no single line."""
    if subject is None:
        if medium and medium.needs_subject:
            message = f"{medium.name} needs a subject"
            raise ValueError(message)
        return
    if medium and not medium.has_subject:
        message = f"{medium.name} has no subject"
        raise ValueError(message)
    single_line(subject)
    single_line(_filled(subject, variables, max_chars=MAX_SUBJECT_CHARS))


def check_html(
    medium: Medium | None, html: str | None, variables: Mapping[str, JsonValue] | None
) -> None:
    """Raise ValueError for HTML that has no place, or cannot be filled."""
    if html is None:
        return
    if medium and not medium.has_html:
        message = "only an email has html"
        raise ValueError(message)
    _filled(html, variables, max_chars=MAX_HTML_CHARS, is_html=True)


def check_send_at(send_at: datetime | None, now: datetime) -> None:
    """Raise ValueError for a time that is too far ahead."""
    if send_at is not None and send_at > now + MAX_DELAY:
        message = "expected a time at most a year ahead"
        raise ValueError(message)


def check_expires_at(expires_at: datetime | None, send_at: datetime | None, now: datetime) -> None:
    """Raise ValueError for an end that is over, or before the beginning."""
    if expires_at is None:
        return
    if expires_at <= now:
        message = "expected a time in the future"
        raise ValueError(message)
    if send_at is not None and expires_at <= send_at:
        message = "expected a time after send_at"
        raise ValueError(message)


def later(send_at: datetime | None, now: datetime) -> datetime | None:
    """Return the time to send at; None for at once."""
    return send_at if send_at and send_at > now else None


def single_line(text: str) -> str:
    """Return `text`; ValueError if it has control characters or line breaks."""
    if has_control_characters(text):
        message = "control characters and line breaks are not allowed"
        raise ValueError(message)
    return text


def _filled(
    template: str,
    variables: Mapping[str, JsonValue] | None,
    *,
    max_chars: int,
    is_html: bool = False,
) -> str:
    if variables is None:
        return template
    fill = fill_html if is_html else fill_text
    try:
        text = fill(template, variables, max_chars=max_chars)
    except TemplateError as error:
        raise ValueError(str(error)) from error
    if not text.strip():
        message = "empty once its variables are filled in"
        raise ValueError(message)
    return text
