"""From what somebody wants to send to a notification that can be accepted: the rules, once.

Whoever makes notifications, over HTTP, from the command line or by itself, goes by these.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from notifier.audience.person import Person
from notifier.audience.preference import decide
from notifier.audience.resolving import Audience
from notifier.clock import Clock
from notifier.content.attachment import Attachment
from notifier.content.ports import Markup
from notifier.intake.addressing import Addressed, addressed
from notifier.intake.attaching import Attacher
from notifier.intake.draft import Draft, Flaw
from notifier.intake.inline import read_inline
from notifier.intake.mailing import mail_details
from notifier.intake.pinning import Pinner
from notifier.intake.ports import Submission
from notifier.intake.said import Said
from notifier.intake.senders import Sender, Senders
from notifier.intake.wishing import NO_WISH, Wish
from notifier.notification.mail import MailDetails
from notifier.notification.medium import MEDIA, Medium
from notifier.notification.model import Addressee, Channel
from notifier.notification.sms import SmsRules, sms_size
from notifier.value import value

MAX_DELAY = timedelta(days=366)
_DRAFTS_PER_TURN = 10
_MOST_TOLD = 20


@value
class _Known:
    """What was looked up for all drafts at once."""

    service: str
    traceparent: str | None
    now: datetime
    held: Mapping[UUID, Attachment]
    people: Mapping[str, Person]
    senders: Mapping[str, Sender]


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
    audience: Audience

    async def submissions(
        self, drafts: Sequence[Draft], *, service: str, traceparent: str | None = None
    ) -> Sequence[Submission | list[Flaw]]:
        """Return a submission of `service` for each draft, or all that is wrong with it.

        Many take a while: other tasks get their turn in between.

        Raises:
            StoreUnavailableError: a person, a template, a sender or an attachment could not be
                looked up.
        """
        known = _Known(
            service=service,
            traceparent=traceparent,
            now=self.clock.now(),
            held=await self.attacher.held(drafts, service),
            people=await self.audience.people(service, _user_ids(drafts)),
            senders=await self._senders(drafts, service),
        )
        made: list[Submission | list[Flaw]] = []
        for index, draft in enumerate(drafts, 1):
            made.append(await self._submission(draft, known))
            if index % _DRAFTS_PER_TURN == 0:
                await asyncio.sleep(0)
        return made

    async def _senders(self, drafts: Sequence[Draft], service: str) -> Mapping[str, Sender]:
        has_mails = any(draft.channel is Channel.EMAIL for draft in drafts)
        return await self.senders.of(service) if has_mails else {}

    async def _submission(self, draft: Draft, known: _Known) -> Submission | list[Flaw]:
        id = self.new_id()
        to = addressed(draft, known.people)
        person = to.person if isinstance(to, Addressed) else None
        said = await self._said(draft, known.service, id, person)
        mail = await self._mail(draft, said, known)
        wish = await self._wish(draft, said, person, known)
        flaws = _flaws(draft, self.channels, known.now)
        if (
            isinstance(to, list)
            or isinstance(said, list)
            or isinstance(mail, list)
            or isinstance(wish, list)
            or flaws
        ):
            return flaws + _flaws_among(said, mail, to, wish)
        return _submission(id, draft, known, to=to, said=said, mail=mail, wish=wish)

    async def _said(
        self, draft: Draft, service: str, id: UUID, person: Person | None
    ) -> Said | list[Flaw]:
        """Read what it says, or pin it to a template that does."""
        if draft.template:
            said = await self.pinner.pinned(
                draft, draft.template, service=service, id=id, person=person
            )
        else:
            said = await read_inline(draft, MEDIA[draft.channel], self.markup)
        if draft.channel is not Channel.SMS or isinstance(said, list):
            return said
        return self._sized(said)

    async def _wish(
        self, draft: Draft, said: Said | list[Flaw], person: Person | None, known: _Known
    ) -> Wish | list[Flaw]:
        """Say whether whom it is for wants it, and when."""
        own = said.category if isinstance(said, Said) else draft.category
        key = draft.counts_as or own
        if key is None and person is None:
            return NO_WISH
        occasion = await self.audience.occasion(
            known.service, key, channel=draft.channel, lane=draft.lane
        )
        is_named = (draft.counts_as or draft.category) is not None
        if is_named and occasion.category is None:
            return [Flaw("category", await self._no_category(known.service))]
        if person is None and occasion.category is None:
            return Wish(None, None, key if occasion.is_former else None)
        at = max(known.now, draft.send_at or known.now)
        return Wish(occasion.category, decide(occasion, person, at))

    async def _no_category(self, service: str) -> str:
        there = sorted((await self.audience.categories.of(service)).by_key)
        if not there:
            return "there is no such category: this service has none"
        return f"there is no such category; there are {', '.join(there[:_MOST_TOLD])}"

    def _sized(self, said: Said) -> Said | list[Flaw]:
        """Count the messages of an SMS as it will be sent."""
        text = self.sms.sent(said.text)
        size = sms_size(text)
        if fault := self.sms.fault(text, size):
            return [Flaw("template" if said.template else "content", fault)]
        return replace(said, size=size)

    async def _mail(
        self, draft: Draft, said: Said | list[Flaw], known: _Known
    ) -> MailDetails | list[Flaw] | None:
        details = mail_details(draft, known.senders)
        attached = await self.attacher.attached(draft, known.held, said)
        if isinstance(details, list) or isinstance(attached, list):
            return _flaws_among(details, attached)
        return replace(details or MailDetails(), attachments=attached) if attached else details


def _submission(
    id: UUID,
    draft: Draft,
    known: _Known,
    *,
    to: Addressed,
    said: Said,
    mail: MailDetails | None,
    wish: Wish,
) -> Submission:
    return Submission(
        id=id,
        service=known.service,
        channel=draft.channel,
        lane=draft.lane,
        recipient=to.recipient,
        content=said.content,
        subject=said.subject,
        html=said.html,
        action_url=said.action_url,
        is_finished=said.is_finished,
        variables=said.variables,
        metadata=draft.metadata,
        send_at=wish.later(_later(draft.send_at, known.now)),
        expires_at=draft.expires_at,
        sensitive=draft.sensitive,
        on_unknown=draft.on_unknown,
        template=said.template,
        traceparent=known.traceparent,
        size=said.size,
        mail=mail,
        addressee=_addressee(to, wish),
        withheld=wish.withheld,
    )


def _addressee(to: Addressed, wish: Wish) -> Addressee | None:
    category = wish.category
    if to.person is None and category is None and wish.former is None:
        return None
    return Addressee(
        user_id=to.person.user_id if to.person else None,
        category=category.key if category else wish.former,
        is_required=category is not None and not category.can_switch_off,
        is_address_given=to.person is not None and to.is_given,
    )


def _user_ids(drafts: Iterable[Draft]) -> set[str]:
    return {draft.user_id for draft in drafts if draft.user_id is not None}


def _flaws(draft: Draft, channels: frozenset[Channel], now: datetime) -> list[Flaw]:
    """Say what is wrong with the fields that are judged by themselves."""
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
