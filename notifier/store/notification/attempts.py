"""The hot path: publish marks, claims and finishes, many callers' rows in each statement."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    CompoundSelect,
    Float,
    FromClause,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    case,
    func,
    literal_column,
    null,
    or_,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.delivery.ports import Claimed, Finish, Snoozes
from notifier.idempotency import NotFound
from notifier.notification.envelope import Envelope
from notifier.notification.model import Status
from notifier.notification.transitions import CLAIM, EXPIRE, REPLAY, SUPPRESS
from notifier.store.kit.batcher import batched
from notifier.store.kit.database import Database
from notifier.store.kit.rows import RowJson, encode, joined
from notifier.store.kit.sql import (
    ID,
    Now,
    SecondsFromNow,
    SecondsUntil,
    given_rows,
    is_key,
    literal_text,
    parameter,
)
from notifier.store.notification import snoozes, suppressing, timeline, unknown
from notifier.store.notification.changes import (
    RETURNED,
    changes,
    erased,
    locked,
    set_where,
    stands_at,
    unleased,
)
from notifier.store.notification.publications import _named
from notifier.store.notification.rows import (
    envelope_row,
    event_row,
    finish_row,
    miss_rows,
    to_claimed,
)
from notifier.store.notification.settings import StoreSettings
from notifier.store.notification.tables import notifications as n
from notifier.store.notification.timeline import Noted

_wanted = locked(
    given_rows(id=ID, attempt=Integer, lease_token=Uuid, lease_s=Float, by=Text),
    suppressing.is_suppressed(n.c).label("is_suppressed"),
)
_is_overdue = and_(n.c.expires_at.is_not(None), n.c.expires_at <= Now())
_is_over = or_(_wanted.c.is_suppressed, _is_overdue)
_leased = {
    "lease_token": _wanted.c.lease_token,
    "lease_until": SecondsFromNow(_wanted.c.lease_s),
    "leased_by": _wanted.c.by,
}
_leases = (
    update(n)
    .where(is_key(n.c.id, _wanted.c.id))
    .values(
        status=case(
            (_is_overdue, literal_text(EXPIRE.target)),
            (_wanted.c.is_suppressed, literal_text(SUPPRESS.target)),
            else_=literal_text(CLAIM.target),
        ),
        finished_at=set_where(n.c.finished_at, Now(), when=_is_over),
        updated_at=Now(),
        **{name: case((_is_over, null()), else_=value) for name, value in _leased.items()},
        **erased(_is_over),
    )
    .returning(
        *RETURNED,
        n.c.channel,
        n.c.lane,
        func.coalesce(n.c.recipient_as_written, n.c.recipient).label("recipient"),
        n.c.subject,
        n.c.content,
        n.c.html,
        n.c.variables,
        n.c.metadata,
        n.c.sensitive,
        n.c.attempts_spent,
        n.c.lease_token,
        n.c.on_unknown,
        n.c.traceparent,
        n.c.template_version_id,
        n.c.locale,
        n.c.mail,
        n.c.action_url,
        n.c.is_finished,
        n.c.user_id,
        n.c.category,
        n.c.is_required,
        n.c.is_address_given,
        SecondsUntil(n.c.expires_at).label("expires_in_s"),
    )
)


def _has(status: Status, record: FromClause) -> ColumnElement[bool]:
    return record.c.status == literal_text(status)


def _claimed(leased: FromClause) -> Select[Any]:
    event = case(
        (_has(EXPIRE.target, leased), literal_text(EXPIRE.name)),
        (_has(SUPPRESS.target, leased), literal_text(SUPPRESS.name)),
        else_=literal_text(CLAIM.name),
    )
    return timeline.entries(leased, event)


def _only_over(leased: FromClause) -> Select[Any]:
    return _claimed(leased).where(~_has(CLAIM.target, leased))


_CLAIM = Noted(
    _leases.where(n.c.attempt == _wanted.c.attempt, stands_at(*CLAIM.sources)).values(
        attempt=set_where(n.c.attempt, n.c.attempt + 1, when=~_is_over),
        attempts_spent=set_where(n.c.attempts_spent, n.c.attempts_spent + 1, when=~_is_over),
    ),
    _claimed,
)
# For a worker that never got the answer to its claim, and asks again with the same token.
_RENEW = Noted(
    _leases.where(n.c.lease_token == _wanted.c.lease_token),
    _only_over,
)
# The letter was taken out of the dead queue to get here: it does not become stale.
_REPLAY = Noted(
    changes(REPLAY, _named)
    .where(n.c.attempt == _named.c.attempt)
    .values(stale_letter_at=n.c.stale_letter_at),
    lambda replayed: timeline.entries(replayed, literal_text(REPLAY.name)),
)

_ended = locked(
    given_rows(
        id=ID,
        lease_token=Uuid,
        event=Text,
        target=Text,
        counts_attempt=Integer,
        provider=Text,
        provider_id=Text,
        fault_kind=Text,
        fault_code=Text,
        fault_message=Text,
        delay_s=Float,
        outcome_unknown=Boolean,
    )
)
_is_back = _ended.c.target == literal_text(Status.PENDING)
_has_failed = _ended.c.target == literal_text(Status.FAILED)
_due_again = SecondsFromNow(func.coalesce(_ended.c.delay_s, 0.0))
_finishes = (
    update(n)
    .where(
        is_key(n.c.id, _ended.c.id),
        n.c.lease_token == _ended.c.lease_token,
    )
    .values(
        status=_ended.c.target,
        attempts_spent=n.c.attempts_spent + _ended.c.counts_attempt,
        due_at=set_where(n.c.due_at, _due_again, when=_is_back),
        # Whoever records a failure buries it; a relay takes it up only if that does not happen.
        relay_at=case(
            (_is_back, _due_again),
            (_has_failed, SecondsFromNow(parameter("grace_s", Float))),
            else_=n.c.relay_at,
        ),
        published_at=set_where(n.c.published_at, null(), when=_is_back),
        sent_at=set_where(n.c.sent_at, Now(), when=_ended.c.target == literal_text(Status.SENT)),
        finished_at=set_where(n.c.finished_at, Now(), when=~_is_back),
        updated_at=Now(),
        outcome_unknown=or_(n.c.outcome_unknown, _ended.c.outcome_unknown),
        **{
            name: _ended.c[name]
            for name in ("provider", "provider_id", "fault_kind", "fault_code", "fault_message")
        },
        **unleased(),
        **erased(~_is_back),
    )
    .returning(*RETURNED)
)
_missed = given_rows(
    "misses",
    id=ID,
    nth=Integer,
    provider=Text,
    fault_kind=Text,
    fault_code=Text,
    fault_message=Text,
)
_at_last = literal_column("1000", Integer)


_told = tuple(_ended.c[name] for name in ("event", *timeline.DETAILS))


def _finished(ended: FromClause) -> CompoundSelect[Any]:
    failover = literal_text(timeline.FAILOVER)
    details = ended if "event" in ended.c else _ended
    return union_all(
        timeline.entries(ended, failover, details=_missed, nth=_missed.c.nth),
        timeline.entries(ended, details.c.event, details=details, nth=_at_last),
    )


_FINISH = Noted(_finishes, _finished, told=_told)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """One worker's wish to claim what an envelope names."""

    envelope: Envelope
    lease_token: UUID
    lease_s: float
    leased_by: str


async def claim(
    database: Database, requests: Sequence[ClaimRequest]
) -> list[Claimed | NotFound | None]:
    """CLAIM, EXPIRE or SUPPRESS what the envelopes name, after a REPLAY of what is failed."""
    claimed, missed = await database.write_at_once(partial(claim_pending, requests=requests))
    found: dict[UUID, Claimed | NotFound] = dict(claimed)
    if missed:
        found |= await database.write(partial(_claim_others, requests=missed))
    return [found.get(request.lease_token) for request in requests]


async def claim_pending(
    connection: AsyncConnection, requests: Sequence[ClaimRequest]
) -> tuple[dict[UUID, Claimed], Sequence[ClaimRequest]]:
    """CLAIM, EXPIRE or SUPPRESS; returns what was claimed, by token, and what was not touched."""
    return await _lease(connection, _CLAIM, requests)


async def _claim_others(
    connection: AsyncConnection, requests: Sequence[ClaimRequest]
) -> dict[UUID, Claimed | NotFound]:
    claimed, missed = await _lease(connection, _RENEW, requests)
    if missed and (replayed := await _replay(connection, missed)):
        again = [request for request in missed if request.envelope.id in replayed]
        missed = [request for request in missed if request.envelope.id not in replayed]
        more, _ = await claim_pending(connection, again)
        claimed |= more
    return claimed | await _unknown(connection, missed)


async def _unknown(
    connection: AsyncConnection, requests: Sequence[ClaimRequest]
) -> dict[UUID, NotFound]:
    if not requests:
        return {}
    ids = await unknown.note(connection, [request.envelope for request in requests])
    return {each.lease_token: NotFound() for each in requests if each.envelope.id in ids}


async def _lease(
    connection: AsyncConnection, statement: Noted, requests: Sequence[ClaimRequest]
) -> tuple[dict[UUID, Claimed], Sequence[ClaimRequest]]:
    rows = await statement.run(connection, {"rows": joined(map(_claim_row, requests))})
    touched = {row.id for row in rows}
    claimed = {row.lease_token: to_claimed(row) for row in rows if row.lease_token}
    return claimed, [request for request in requests if request.envelope.id not in touched]


def _claim_row(request: ClaimRequest) -> RowJson:
    return encode(
        {
            "id": request.envelope.id.hex,
            "attempt": request.envelope.attempt,
            "lease_token": request.lease_token.hex,
            "lease_s": request.lease_s,
            "by": request.leased_by,
        }
    )


async def _replay(
    connection: AsyncConnection, requests: Sequence[ClaimRequest]
) -> Collection[UUID]:
    rows = joined(envelope_row(request.envelope) for request in requests)
    return {row.id for row in await _REPLAY.run(connection, {"rows": rows})}


def checked(finish: Finish) -> Finish:
    """Return it if it ends an attempt.

    Raises:
        ValueError: its transition does not start from processing.
    """
    if Status.PROCESSING not in finish.transition.sources:
        raise ValueError(f"{finish.transition.name} does not end an attempt")
    return finish


async def finish(database: Database, finishes: Sequence[Finish], *, grace_s: float) -> list[bool]:
    """Record the ends of attempts; those without their lease only reach the timeline."""
    firsts: dict[UUID, Finish] = {}
    for each in finishes:
        firsts.setdefault(each.id, each)
    ends = list(firsts.values())
    is_simple = not any(each.suppress_as for each in ends)
    write = database.write_at_once if is_simple else database.write
    recorded = await write(partial(_finish, finishes=ends, grace_s=grace_s))
    missed = [each for each in finishes if firsts[each.id] is not each or each.id not in recorded]
    late = await database.write(partial(_late, finishes=missed)) if missed else set()
    return [timeline.ending_of(each) not in late for each in finishes]


async def _finish(
    connection: AsyncConnection, finishes: Sequence[Finish], *, grace_s: float
) -> Collection[UUID]:
    """End these attempts where they have their lease; returns which. One statement in general."""
    misses = (row for each in finishes for row in miss_rows(each))
    parameters = {
        "rows": joined(map(finish_row, finishes)),
        "misses": joined(misses),
        "grace_s": grace_s,
    }
    recorded = {row.id for row in await _FINISH.run(connection, parameters)}
    refused = {
        each.id: suppressing.Cause(each.suppress_as)
        for each in finishes
        if each.suppress_as and each.id in recorded
    }
    await suppressing.suppress(connection, refused)
    return recorded


async def _late(
    connection: AsyncConnection, finishes: Sequence[Finish]
) -> Collection[timeline.Ending]:
    """Return the endings that did not end their attempt; each attempt gets one late completion.

    A worker that never got the answer to its finish asks again, and is not late.
    """
    known = await timeline.endings(connection, finishes)
    late = [each for each in finishes if timeline.ending_of(each) not in known]
    noted = {(id, attempt) for id, attempt, event, _ in known if event == timeline.LATE_COMPLETION}
    new = {(each.id, each.attempt): each for each in late if (each.id, each.attempt) not in noted}
    events = [
        event_row(each.id, timeline.LATE_COMPLETION, each.attempt, source=each)
        for each in new.values()
    ]
    await timeline.append(connection, events)
    return {timeline.ending_of(each) for each in late}


class SqlLeases:
    """`Leases` over SQL: concurrent callers share round trips."""

    def __init__(self, database: Database, settings: StoreSettings) -> None:
        self._database = database
        ends = partial(finish, grace_s=settings.grace_s)
        self._claim = batched(database, claim, settings.max_batch)
        self._finish = batched(database, ends, settings.max_batch)

    async def claim(
        self, envelope: Envelope, *, lease_token: UUID, lease_s: float, leased_by: str
    ) -> Claimed | NotFound | None:
        return await self._claim.submit(
            ClaimRequest(
                envelope=envelope, lease_token=lease_token, lease_s=lease_s, leased_by=leased_by
            )
        )

    async def finish(self, finish: Finish) -> bool:
        return await self._finish.submit(checked(finish))

    async def snoozes(self, id: UUID) -> Snoozes:
        return await self._database.read(partial(snoozes.snoozes, id=id))
