"""From what somebody wants to send to a notification that can be accepted: the rules, once.

Whoever makes notifications, over HTTP, from the command line or by itself, goes by these.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from notifier.audience.recipient import normalise
from notifier.clock import Clock
from notifier.content.attachment import Attachment
from notifier.content.ports import Markup
from notifier.errors import RecipientError
from notifier.intake.attaching import Attacher
from notifier.intake.draft import Draft, Flaw
from notifier.intake.inline import read_inline
from notifier.intake.mailing import mail_details
from notifier.intake.pinning import Pinner
from notifier.intake.ports import Submission
from notifier.intake.said import Said
from notifier.intake.senders import Senders
from notifier.notification.mail import MailDetails
from notifier.notification.medium import MEDIA, Medium
from notifier.notification.model import Channel
from notifier.notification.sms import SmsRules, sms_size

MAX_DELAY = timedelta(days=366)
_DRAFTS_PER_TURN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafter:
    """Makes submissions of drafts, for the channels that are on."""

    clock: Clock
    new_id: Callable[[], UUID]
    """Makes time-ordered ids (UUIDv7)."""
    channels: frozenset[Channel]
    pinner: Pinner
    senders: Senders
    markup: Markup
    attacher: Attacher
    sms: SmsRules

    async def submissions(
        self, drafts: Sequence[Draft], *, service: str, traceparent: str | None = None
    ) -> Sequence[Submission | list[Flaw]]:
        """Return a submission of `service` for each draft, or all that is wrong with it.

        Many take a while: other tasks get their turn in between.

        Raises:
            StoreUnavailableError: a template, a sender or an attachment could not be looked up.
        """
        now = self.clock.now()
        held = await self.attacher.held(drafts, service)
        made: list[Submission | list[Flaw]] = []
        for index, draft in enumerate(drafts, 1):
            made.append(await self._submission(draft, service, traceparent, now, held))
            if index % _DRAFTS_PER_TURN == 0:
                await asyncio.sleep(0)
        return made

    async def _submission(
        self,
        draft: Draft,
        service: str,
        traceparent: str | None,
        now: datetime,
        held: Mapping[UUID, Attachment],
    ) -> Submission | list[Flaw]:
        id = self.new_id()
        said = await self._said(draft, service, id)
        mail = await self._mail(draft, service, said, held)
        recipient = _recipient(draft)
        flaws = _flaws(draft, self.channels, now) + _flaws_among(said, mail, recipient)
        if isinstance(said, list) or isinstance(mail, list) or isinstance(recipient, list) or flaws:
            return flaws
        return Submission(
            id=id,
            service=service,
            channel=draft.channel,
            lane=draft.lane,
            recipient=recipient,
            content=said.content,
            subject=said.subject,
            html=said.html,
            action_url=said.action_url,
            is_finished=said.is_finished,
            variables=said.variables,
            metadata=draft.metadata,
            send_at=_later(draft.send_at, now),
            expires_at=draft.expires_at,
            sensitive=draft.sensitive,
            on_unknown=draft.on_unknown,
            traceparent=traceparent,
            template=said.template,
            size=said.size,
            mail=mail,
        )

    async def _said(self, draft: Draft, service: str, id: UUID) -> Said | list[Flaw]:
        """Read what it says, or pin it to a template that does."""
        if draft.template:
            said = await self.pinner.pinned(draft, draft.template, service=service, id=id)
        else:
            said = await read_inline(draft, MEDIA[draft.channel], self.markup)
        if draft.channel is not Channel.SMS or isinstance(said, list):
            return said
        return self._sized(said)

    def _sized(self, said: Said) -> Said | list[Flaw]:
        """Count the messages of an SMS as it will be sent."""
        text = self.sms.sent(said.text)
        size = sms_size(text)
        if fault := self.sms.fault(text, size):
            return [Flaw("template" if said.template else "content", fault)]
        return replace(said, size=size)

    async def _mail(
        self,
        draft: Draft,
        service: str,
        said: Said | list[Flaw],
        held: Mapping[UUID, Attachment],
    ) -> MailDetails | list[Flaw] | None:
        details = await mail_details(draft, service, self.senders)
        attached = await self.attacher.attached(draft, held, said)
        if isinstance(details, list) or isinstance(attached, list):
            return _flaws_among(details, attached)
        return replace(details or MailDetails(), attachments=attached) if attached else details


def _recipient(draft: Draft) -> str | list[Flaw]:
    try:
        return normalise(draft.channel, draft.recipient)
    except RecipientError as error:
        return [Flaw("recipient", str(error))]


def _flaws(draft: Draft, channels: frozenset[Channel], now: datetime) -> list[Flaw]:
    faults = (
        ("type", _channel_fault(draft.channel, channels)),
        ("sensitive", _sensitive_fault(MEDIA[draft.channel], sensitive=draft.sensitive)),
        ("send_at", _send_at_fault(draft.send_at, now)),
        ("expires_at", _expires_at_fault(draft.expires_at, draft.send_at, now)),
    )
    return [Flaw(field, words) for field, words in faults if words]


def _flaws_among(*found: object) -> list[Flaw]:
    return [flaw for each in found if isinstance(each, list) for flaw in each]


def _channel_fault(channel: Channel, on: frozenset[Channel]) -> str | None:
    return None if channel in on else f"{channel} is turned off here"


def _sensitive_fault(medium: Medium, *, sensitive: bool) -> str | None:
    if sensitive and not medium.may_be_sensitive:
        return "an inbox shows its content, so in_app notifications cannot be sensitive"
    return None


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


def _later(send_at: datetime | None, now: datetime) -> datetime | None:
    """Return the time to send at; None for at once."""
    return send_at if send_at and send_at > now else None
