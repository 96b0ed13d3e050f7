"""What providers report afterwards, each report applied once and forward only."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from itertools import accumulate, groupby, pairwise
from math import inf
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import Text, delete, func, literal, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.pseudonym import Pseudonyms
from notifier.notification.model import Status
from notifier.notification.outcomes import SuppressionReason
from notifier.notification.transitions import BOUNCE, DELIVER, SETTLE, Transition
from notifier.providers.receipt import AppliedReceipts, Receipt
from notifier.store.kit.batcher import Batcher
from notifier.store.kit.database import Database
from notifier.store.kit.forgetting import forget_all
from notifier.store.kit.rows import RowJson, encode, joined
from notifier.store.kit.sql import ID, Now, SecondsFromNow, given_rows, is_key
from notifier.store.notification import suppressing, timeline
from notifier.store.notification.changes import changes
from notifier.store.notification.rows import event_row, fault_columns
from notifier.store.notification.suppressing import Cause
from notifier.store.notification.tables import notifications as n
from notifier.store.receipts import lifted, opting
from notifier.store.receipts.tables import receipts

_MAX_BATCH = 500
_KEPT_S = 7 * 86_400.0
_PURGE_BATCH = 5_000

EventName: TypeAlias = tuple[str, str]

_ids = given_rows(id=ID)
_LOCK = (
    select(n.c.id, n.c.status, n.c.attempt, n.c.outcome_unknown)
    .join_from(_ids, n, is_key(n.c.id, _ids.c.id))
    .order_by(n.c.id)
    .with_for_update(of=n)
)
_events = given_rows(provider=Text, event_id=Text)
# In one order for everybody, so that two transactions never wait for one another. SQLite needs
# the WHERE to tell ON CONFLICT from a join's ON.
_KEEP = (
    insert(receipts)
    .from_select(
        ["provider", "event_id", "created_at"],
        select(*_events.c, Now())
        .where(text("true"))
        .order_by(_events.c.provider, _events.c.event_id),
    )
    .on_conflict_do_nothing()
    .returning(receipts.c.provider, receipts.c.event_id)
)
_old = (
    select(receipts.c.provider, receipts.c.event_id)
    .where(receipts.c.created_at <= SecondsFromNow(literal(-_KEPT_S)))
    .limit(_PURGE_BATCH)
)
_PURGE = delete(receipts).where(tuple_(receipts.c.provider, receipts.c.event_id).in_(_old))

_FAULT = ("fault_kind", "fault_code", "fault_message")
_given = given_rows(id=ID, provider=Text, provider_id=Text, **dict.fromkeys(_FAULT, Text))
_reported = {name: _given.c[name] for name in _FAULT}
_SETTLE = changes(SETTLE, _given).values(
    provider=_given.c.provider,
    provider_id=func.coalesce(_given.c.provider_id, n.c.provider_id),
)
_DELIVER = changes(DELIVER, _given)
_BOUNCE = changes(BOUNCE, _given).values(_reported)
_STATEMENTS = ((SETTLE, _SETTLE), (DELIVER, _DELIVER), (BOUNCE, _BOUNCE))
"""In the order in which one notification goes through them."""


class Effect(Enum):
    """What became of one receipt."""

    NOTHING = auto()
    CHANGE = auto()
    EARLY = auto()


@dataclass(frozen=True, slots=True)
class Record:
    """Where a notification stands."""

    id: UUID
    status: Status
    attempt: int
    is_unknown: bool


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One transition of one record, and the receipt that asks for it."""

    transition: Transition
    receipt: Receipt
    id: UUID
    attempt: int


class SqlReceiptStore:
    """`ReceiptStore` over SQL."""

    def __init__(self, database: Database, pseudonyms: Pseudonyms | None = None) -> None:
        """`pseudonyms` are those by which an address is known that was erased."""
        self._database = database
        self._pseudonyms = pseudonyms
        self._apply = Batcher(
            self._apply_all, max_batch=_MAX_BATCH, timeout_s=database.timeout_s, weigh=len
        )

    async def apply(self, receipts: Sequence[Receipt]) -> AppliedReceipts:
        effects: list[Effect] = []
        for start in range(0, len(receipts), _MAX_BATCH):
            effects += await self._apply.submit(receipts[start : start + _MAX_BATCH])
        early = tuple(
            receipt
            for receipt, effect in zip(receipts, effects, strict=True)
            if effect is Effect.EARLY
        )
        return AppliedReceipts(effects.count(Effect.CHANGE), early)

    async def purge(self) -> int:
        return await forget_all(self._database, _purge)

    async def _apply_all(self, requests: Sequence[Sequence[Receipt]]) -> Sequence[Sequence[Effect]]:
        flat = [receipt for request in requests for receipt in request]
        work = partial(apply, receipts=flat, pseudonyms=self._pseudonyms)
        effects = await self._database.write(work)
        ends = accumulate((len(request) for request in requests), initial=0)
        return [effects[start:end] for start, end in pairwise(ends)]


async def apply(
    connection: AsyncConnection, receipts: Sequence[Receipt], pseudonyms: Pseudonyms | None = None
) -> list[Effect]:
    """Apply these receipts in their order; says of each what came of it."""
    records = await _lock(connection, receipts)
    # What is being sent again takes no receipt; one that the provider repeats may apply later.
    early = [each for each in receipts if _is_early(each, records)]
    new = await _keep(connection, [each for each in receipts if not _is_early(each, records)])
    steps = list(_steps(new, records))
    for transition, statement in _STATEMENTS:
        rows = [_row(step) for step in steps if step.transition is transition]
        if rows:
            await connection.execute(statement, {"rows": joined(rows)})
    await timeline.append(connection, [_event(step, nth) for nth, step in enumerate(steps)])
    changed = [step.receipt for step in steps]
    changed += await _change_lists(connection, [*new, *early], pseudonyms)
    effects = {_name_of(receipt): Effect.CHANGE for receipt in changed}
    effects |= {_name_of(receipt): Effect.EARLY for receipt in early}
    # An event that came twice has its effect once.
    return [effects.pop(_name_of(receipt), Effect.NOTHING) for receipt in receipts]


def _name_of(receipt: Receipt) -> EventName:
    return (receipt.provider, receipt.event_id)


async def _lock(connection: AsyncConnection, receipts: Sequence[Receipt]) -> Mapping[UUID, Record]:
    rows = joined(encode({"id": id.hex}) for id in {each.id for each in receipts} if id)
    result = await connection.execute(_LOCK, {"rows": rows})
    return {
        row.id: Record(row.id, Status(row.status), row.attempt, is_unknown=row.outcome_unknown)
        for row in result
    }


async def _keep(connection: AsyncConnection, receipts: Sequence[Receipt]) -> Sequence[Receipt]:
    """Keep these events; returns one receipt for each that was not known."""
    firsts: dict[EventName, Receipt] = {}
    for receipt in receipts:
        firsts.setdefault(_name_of(receipt), receipt)
    rows = joined(encode({"provider": name, "event_id": id}) for name, id in firsts)
    result = await connection.execute(_KEEP, {"rows": rows})
    new = {(row.provider, row.event_id) for row in result}
    return [receipt for event, receipt in firsts.items() if event in new]


def _steps(receipts: Sequence[Receipt], records: Mapping[UUID, Record]) -> Iterable[Step]:
    """Yield what is to be done, in order, as each receipt finds what those before it left."""
    statuses: dict[UUID, Status] = {}
    for receipt in receipts:
        record = records.get(receipt.id) if receipt.id else None
        if record is None or receipt.transition is None:
            continue
        status = statuses.get(record.id, record.status)
        for transition in way(status, receipt.transition, is_unknown=record.is_unknown):
            yield Step(transition, receipt, record.id, record.attempt)
            statuses[record.id] = transition.target


def way(status: Status, wanted: Transition, *, is_unknown: bool) -> Sequence[Transition]:
    """Return the transitions by which a receipt takes a record forward; none if it cannot."""
    if status in SETTLE.sources:
        if not is_unknown:
            return ()
        return (SETTLE,) if wanted is SETTLE else (SETTLE, wanted)
    return (wanted,) if status in wanted.sources else ()


def _is_early(receipt: Receipt, records: Mapping[UUID, Record]) -> bool:
    record = records.get(receipt.id) if receipt.id else None
    is_under_way = record is not None and record.status is Status.PROCESSING
    return is_under_way and receipt.transition is not None


def _row(step: Step) -> RowJson:
    return encode(
        {
            "id": step.id.hex,
            "provider": step.receipt.provider,
            "provider_id": step.receipt.provider_id,
            **fault_columns(step.receipt.fault),
        }
    )


def _event(step: Step, nth: int) -> RowJson:
    return event_row(step.id, step.transition.name, step.attempt, source=step.receipt, nth=nth)


async def _change_lists(
    connection: AsyncConnection, receipts: Sequence[Receipt], pseudonyms: Pseudonyms | None
) -> list[Receipt]:
    """Suppress and lift what receipts ask for, in the order in which it happened.

    Returns those that changed a list.
    """
    asking = [each for each in receipts if each.suppress_as or each.lift]
    changed: list[Receipt] = []
    for is_lift, group in groupby(
        sorted(asking, key=_time), key=lambda each: each.lift is not None
    ):
        change = partial(_lift, pseudonyms=pseudonyms) if is_lift else _suppress
        changed += await change(connection, list(group))
    return changed


def _time(receipt: Receipt) -> float:
    return inf if receipt.at is None else receipt.at.timestamp()


async def _suppress(connection: AsyncConnection, receipts: Sequence[Receipt]) -> list[Receipt]:
    # Of what one notification brought, a complaint is worth most: nothing lifts it.
    asking = {each.id: each for each in sorted(receipts, key=_weight) if each.id}
    causes = {
        id: Cause(each.suppress_as, each.at, each.is_of_category)
        for id, each in asking.items()
        if each.suppress_as
    }
    for id in await lifted.outdated(connection, causes):
        del causes[id]
    chosen = await opting.choose_off(connection, causes)
    # Whoever chose by category is asked about that; an address alone is on a list.
    listing = {id: cause for id, cause in causes.items() if not chosen.get(id, False)}
    changed = {*await suppressing.suppress(connection, listing), *chosen}
    stopped = [each for each in receipts if each.number and not each.id]
    return [
        *(asking[id] for id in causes if id in changed),
        *[each for each in stopped if await opting.stop(connection, each.number or "")],
    ]


def _weight(receipt: Receipt) -> bool:
    return receipt.suppress_as is SuppressionReason.SPAM_REPORT


async def _lift(
    connection: AsyncConnection, receipts: Sequence[Receipt], pseudonyms: Pseudonyms | None
) -> list[Receipt]:
    return [each for each in receipts if await _has_lifted(connection, each, pseudonyms)]


async def _has_lifted(
    connection: AsyncConnection, receipt: Receipt, pseudonyms: Pseudonyms | None
) -> bool:
    assert receipt.lift is not None  # noqa: S101  only these are given
    cause = Cause(receipt.lift, receipt.at, receipt.is_of_category)
    if receipt.id is not None:
        await lifted.remember(connection, receipt.id, cause)
        has_chosen = await opting.choose_on(connection, receipt.id, cause, pseudonyms)
        rows = await suppressing.lift(connection, receipt.id, cause, pseudonyms)
    elif receipt.number is not None:
        has_chosen = await opting.start(connection, receipt.number)
        rows = await suppressing.lift_number(connection, receipt.number, cause, pseudonyms)
    else:
        return False
    await suppressing.note_lifted(connection, rows, "the recipient subscribed again")
    return bool(rows) or has_chosen


async def _purge(connection: AsyncConnection) -> int:
    return (await connection.execute(_PURGE)).rowcount
