"""A store under test, what fills it, and a hand on its clock."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import compat

from notifier.audience.category import Categories
from notifier.audience.pseudonym import Pseudonyms
from notifier.audience.resolving import Audience
from notifier.clock import Clock
from notifier.composition import stores
from notifier.content.library import Library
from notifier.delivery.addressing import Addresser
from notifier.delivery.attaching import Loader, Portion
from notifier.delivery.composing import Composer
from notifier.delivery.ports import Claimed, Finish
from notifier.delivery.preparing import Preparer
from notifier.intake.ports import Submission
from notifier.mailbox import Mailbox
from notifier.notification.envelope import Envelope
from notifier.notification.mail import MailDetails
from notifier.notification.model import Channel, Lane, Message, Notification, OnUnknown, Status
from notifier.notification.outcomes import Fault, SuppressionReason
from notifier.notification.sms import SmsRules, SmsSize
from notifier.notification.transitions import Transition
from notifier.rendering.renderer import VersionRenderer
from notifier.store.erasing.stepping import SqlErasing
from notifier.store.kit.database import Database, Patience
from notifier.store.kit.opening import open_database
from notifier.store.kit.sql import Now, UtcTime
from notifier.store.kit.tables import metadata
from notifier.store.notification.feed import SqlCursors, SqlFeed
from notifier.store.notification.settings import StoreSettings
from notifier.store.notification.tables import notifications
from notifier.store.retention import SqlPurge
from tests.patience import PATIENT

DETAILS = MailDetails(
    sender=Mailbox("B\N{LATIN SMALL LETTER U WITH DIAERESIS}ro, Orders", "orders@shop.example"),
    reply_to=Mailbox("", "help@shop.example"),
    headers={"X-Tag": "\N{PACKAGE} \\u0000", "List-Id": "<news.shop.example>"},
)
_SMS = SmsRules()
PSEUDONYMS = Pseudonyms(b"a secret for the length of a test")
GRACE_S = 5.0
LOST_AFTER_S = 600.0


def a_submission(
    *,
    id: UUID | None = None,
    service: str = "orders",
    channel: Channel = Channel.EMAIL,
    sensitive: bool = False,
    send_at: datetime | None = None,
    expires_at: datetime | None = None,
    metadata: dict[str, str] | None = None,
    recipient: str = "ada@example.org",
    on_unknown: OnUnknown | None = None,
    mail: MailDetails | None = None,
    action_url: str | None = None,
    is_finished: bool = False,
    size: SmsSize | None = None,
) -> Submission:
    return Submission(
        id=id or compat.uuid7(),
        service=service,
        channel=channel,
        lane=Lane.NORMAL,
        recipient=recipient,
        subject="Order {{ number }}",
        content="Dear {{ name }}, it's on its way: \N{PACKAGE} \\u0000",
        html="<b>{{ name }}</b>",
        variables={"number": 10**30, "name": "Ada", "prices": [1.10, 1e22, None, True]},
        metadata={"order": "17"} if metadata is None else metadata,
        send_at=send_at,
        expires_at=expires_at,
        sensitive=sensitive,
        on_unknown=on_unknown,
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        mail=mail,
        action_url=action_url,
        is_finished=is_finished,
        size=size,
    )


def a_message(submission: Submission) -> Message:
    return Message(
        id=submission.id,
        service=submission.service,
        channel=submission.channel,
        recipient=submission.recipient,
        subject="Order 17",
        text="Dear Ada",
        html=None,
        sensitive=submission.sensitive,
        attempt=1,
        metadata=submission.metadata,
        action_url="/orders/42",
    )


def envelope_of(notification: Submission | Claimed, attempt: int = 0) -> Envelope:
    return Envelope(
        id=notification.id,
        channel=notification.channel,
        lane=notification.lane,
        attempt=attempt,
        traceparent=notification.traceparent,
    )


def an_end(claimed: Claimed, transition: Transition, **changes: object) -> Finish:
    values: dict[str, object] = {
        "id": claimed.id,
        "lease_token": claimed.lease_token,
        "attempt": claimed.attempt,
        "transition": transition,
        "provider": "smtp",
        "delay_s": 30.0 if transition.target is Status.PENDING else None,
        **changes,
    }
    return Finish(**values)  # type: ignore[arg-type]  # the fields are as various as their types


A_FAULT = Fault(kind="transient", code="421", message="try again later")


class Together:
    """Several objects as one that has the methods of them all."""

    def __init__(self, *parts: object) -> None:
        self._parts = parts

    def __getattr__(self, name: str) -> Any:
        part = next((each for each in self._parts if hasattr(each, name)), self._parts[0])
        return getattr(part, name)


class Stores(stores.Stores):
    """Everything over one database, as one process has it."""

    def __init__(self, database: Database, url: str, limits: StoreSettings) -> None:
        super().__init__(database, limits)
        self.url = url

    @cached_property
    def feed(self) -> SqlFeed:
        return SqlFeed(self.database)

    @cached_property
    def cursors(self) -> SqlCursors:
        return SqlCursors(self.database)

    @cached_property
    def erasing(self) -> SqlErasing:
        return SqlErasing(self.database, PSEUDONYMS, at_once=2)

    @cached_property
    def purge(self) -> SqlPurge:
        return SqlPurge(self.database, at_once=2)

    def composer(self, clock: Clock, sms: SmsRules = _SMS) -> Composer:
        return Composer(Library(self.templates, clock), VersionRenderer(clock), sms)

    def preparer(self, clock: Clock) -> Preparer:
        loader = Loader(self.attachments, self.contents, Portion(64_000_000))
        audience = Audience(self.directory, Categories(self.categories, clock))
        addresser = Addresser(audience, self.leases, self.caps, clock)
        return Preparer(addresser, self.composer(clock), loader, self.fates)

    @property
    def life(self) -> Any:
        """All that moves notifications, as one: for whoever counts or hinders its calls."""
        return Together(
            self.intake,
            self.publications,
            self.leases,
            self.upkeep,
            self.dead_letters,
            self.orders,
            self.once,
        )

    async def accept(self, submission: Submission | None = None) -> Submission:
        submission = submission or a_submission()
        await self.intake.insert([submission])
        return submission

    async def accept_many(self, count: int) -> list[Submission]:
        submissions = [a_submission() for _ in range(count)]
        await self.intake.insert(submissions)
        return submissions

    async def claim(self, envelope: Envelope, by: str = "worker-1") -> Claimed | None:
        found = await self.leases.claim(envelope, lease_token=uuid4(), lease_s=60, leased_by=by)
        return found if isinstance(found, Claimed) else None

    async def claimed(self, submission: Submission | None = None) -> Claimed:
        submission = await self.accept(submission)
        claimed = await self.claim(envelope_of(submission))
        assert claimed is not None
        return claimed

    async def ended(self, transition: Transition, submission: Submission | None = None) -> Claimed:
        claimed = await self.claimed(submission)
        assert await self.leases.finish(an_end(claimed, transition, fault=A_FAULT))
        return claimed

    async def get(self, id: UUID) -> Notification:
        found = await self.queries.get(id, service=None)
        assert found is not None
        return found

    async def status(self, id: UUID) -> Status:
        return (await self.get(id)).status

    async def events(self, id: UUID) -> list[str]:
        return [entry.event for entry in await self.queries.timeline(id)]

    async def now(self) -> datetime:
        """Return the database's time."""

        async def work(connection: AsyncConnection) -> datetime:
            return (await connection.scalars(select(Now()))).one()

        return await self.database.read(work)

    async def suppress(self, submission: Submission) -> None:
        await self.suppressions.add(
            service=submission.service,
            channel=submission.channel,
            recipient=submission.recipient,
            reason=SuppressionReason.MANUAL,
        )

    async def make_unknown(self, id: UUID) -> None:
        """Let an attempt have ended without anybody knowing how."""
        statement = update(notifications).where(notifications.c.id == id)
        async with self.database._writer.begin() as connection:  # noqa: SLF001
            await connection.execute(statement.values(outcome_unknown=True))

    async def maintain(self, statement: str) -> None:
        """Run what PostgreSQL's autovacuum does, which no transaction may hold."""
        engine = self.database._reader  # noqa: SLF001
        async with engine.connect() as connection:
            await connection.execute(text(statement))

    async def pass_time(self, seconds: float) -> None:
        """Let this time pass: everything in the database happened so much earlier."""
        is_sqlite = self.url.startswith("sqlite")
        async with self.database._writer.connect() as connection:  # noqa: SLF001
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            if is_sqlite:
                statements = _ageing(f"strftime('%Y-%m-%dT%H:%M:%fZ', {{}}, '-{seconds} seconds')")
                together = "; ".join(statements)
                await driver.executescript(f"BEGIN IMMEDIATE; {together}; {_turn(seconds)}; COMMIT")
            else:
                # One way there and back; a transaction for each table, which holds up nobody.
                statements = _ageing(f"{{}} - make_interval(secs => {seconds})")
                one_by_one = "; COMMIT; ".join(statements)
                await driver.execute(f"DO $$ BEGIN {one_by_one}; COMMIT; {_turn(seconds)}; END $$")


def _ageing(aged: str) -> list[str]:
    """Statements that make every time in the database `aged`, in which {} is its column."""
    times = {
        table.name: [f'"{column.name}"' for column in table.c if isinstance(column.type, UtcTime)]
        for table in metadata.tables.values()
    }
    return [
        f"UPDATE {table} SET {', '.join(f'{each} = {aged.format(each)}' for each in columns)}"  # noqa: S608  names of ours
        for table, columns in times.items()
        if columns
    ]


def _turn(seconds: float) -> str:
    return f"UPDATE providers SET next_turn_s = next_turn_s - {seconds}"  # noqa: S608  a number


@asynccontextmanager
async def open_stores(url: str, patience: Patience = PATIENT) -> AsyncIterator[Stores]:
    """Open a database the way a process does, if with more patience."""
    async with open_database(url, patience) as database:
        yield stores_over(database, url, StoreSettings(grace_s=GRACE_S, lost_after_s=LOST_AFTER_S))


def stores_over(database: Database, url: str, settings: StoreSettings) -> Stores:
    """All stores over a database that is open."""
    return Stores(database, url, replace(settings, pseudonyms=PSEUDONYMS))


def ids(envelopes: Sequence[Envelope]) -> list[UUID]:
    return sorted(envelope.id for envelope in envelopes)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
