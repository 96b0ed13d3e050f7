"""The hot path: publish marks, claims and finishes, many callers' rows in each statement."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Executable,
    Float,
    Integer,
    Row,
    Text,
    Uuid,
    and_,
    case,
    null,
    or_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification import (
    CLAIM,
    EXPIRE,
    REPLAY,
    Claimed,
    Envelope,
    Finish,
    Status,
    SuppressionReason,
)
from notifier.store import suppressing, timeline
from notifier.store.moves import changes, either, erased, locked, status_in, unleased
from notifier.store.rows import (
    RowJson,
    encode,
    envelope_row,
    event_row,
    finish_row,
    joined,
    to_claimed,
)
from notifier.store.sql import (
    ID,
    Now,
    SecondsFromNow,
    SecondsUntil,
    given_rows,
    literal_text,
    parameter,
)
from notifier.store.tables import notifications as n

_named = locked(given_rows(id=ID, attempt=Integer))
_is_named = and_(n.c.id == _named.c.id, n.c.attempt == _named.c.attempt)

_MARK_PUBLISHED = (
    update(n)
    .where(_is_named, status_in(Status.PENDING))
    .values(published_at=Now(), relay_at=SecondsFromNow(parameter("lost_after_s", Float)))
)

_is_current_letter = and_(status_in(Status.FAILED), n.c.attempt == _named.c.attempt)
_MARK_BURIED = (
    update(n)
    .where(n.c.id == _named.c.id)
    .values(
        dead_letter=or_(n.c.dead_letter, _is_current_letter),
        stale_letter_at=case((_is_current_letter, n.c.stale_letter_at), else_=Now()),
    )
)

_wanted = locked(given_rows(id=ID, attempt=Integer, lease_token=Uuid, lease_s=Float, by=Text))
_is_overdue = and_(n.c.expires_at.is_not(None), n.c.expires_at <= Now())
_leased = {
    "lease_token": _wanted.c.lease_token,
    "lease_until": SecondsFromNow(_wanted.c.lease_s),
    "leased_by": _wanted.c.by,
}
_leases = (
    update(n)
    .where(n.c.id == _wanted.c.id)
    .values(
        status=case((_is_overdue, literal_text(EXPIRE.target)), else_=literal_text(CLAIM.target)),
        finished_at=either(_is_overdue, n.c.finished_at, Now()),
        updated_at=Now(),
        **{name: case((_is_overdue, null()), else_=value) for name, value in _leased.items()},
        **erased(_is_overdue),
    )
    .returning(*n.c, SecondsUntil(n.c.expires_at).label("expires_in_s"))
)
_CLAIM = _leases.where(n.c.attempt == _wanted.c.attempt, status_in(*CLAIM.sources)).values(
    attempt=either(~_is_overdue, n.c.attempt, n.c.attempt + 1),
    attempts_spent=either(~_is_overdue, n.c.attempts_spent, n.c.attempts_spent + 1),
)
# For a worker that never got the answer to its claim, and asks again with the same token.
_RENEW = _leases.where(n.c.lease_token == _wanted.c.lease_token, status_in(CLAIM.target))
# The letter was taken out of the dead queue to get here: it does not become stale.
_REPLAY = (
    changes(REPLAY, _named)
    .where(n.c.attempt == _named.c.attempt)
    .values(stale_letter_at=n.c.stale_letter_at)
)

_ended = locked(
    given_rows(
        id=ID,
        lease_token=Uuid,
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
_due_again = SecondsFromNow(_ended.c.delay_s)
_FINISH = (
    update(n)
    .where(
        n.c.id == _ended.c.id,
        n.c.lease_token == _ended.c.lease_token,
        status_in(Status.PROCESSING),
    )
    .values(
        status=_ended.c.target,
        attempts_spent=n.c.attempts_spent + _ended.c.counts_attempt,
        due_at=either(_is_back, n.c.due_at, _due_again),
        # Whoever records a failure buries it; a relay takes it up only if that does not happen.
        relay_at=case(
            (_is_back, _due_again),
            (_has_failed, SecondsFromNow(parameter("grace_s", Float))),
            else_=n.c.relay_at,
        ),
        published_at=either(_is_back, n.c.published_at, null()),
        sent_at=either(_ended.c.target == literal_text(Status.SENT), n.c.sent_at, Now()),
        finished_at=either(~_is_back, n.c.finished_at, Now()),
        updated_at=Now(),
        outcome_unknown=or_(n.c.outcome_unknown, _ended.c.outcome_unknown),
        **{
            name: _ended.c[name]
            for name in ("provider", "provider_id", "fault_kind", "fault_code", "fault_message")
        },
        **unleased(),
        **erased(~_is_back),
    )
    .returning(n.c.id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """One worker's wish to claim what an envelope names."""

    envelope: Envelope
    lease_token: UUID
    lease_s: float
    leased_by: str


async def mark_published(
    connection: AsyncConnection, envelopes: Sequence[Envelope], *, lost_after_s: float
) -> None:
    """Record that the broker has these."""
    rows = joined(map(envelope_row, envelopes))
    await connection.execute(_MARK_PUBLISHED, {"rows": rows, "lost_after_s": lost_after_s})


async def mark_buried(connection: AsyncConnection, envelopes: Sequence[Envelope]) -> None:
    """Record that the dead queue has these; letters that are overtaken already are stale."""
    await connection.execute(_MARK_BURIED, {"rows": joined(map(envelope_row, envelopes))})


async def claim(
    connection: AsyncConnection, requests: Sequence[ClaimRequest]
) -> list[Claimed | None]:
    """CLAIM, or EXPIRE, what the envelopes name, after a REPLAY of what is failed."""
    claimed, missed = await _claim_pending(connection, requests)
    if missed:
        renewed, missed = await _renew(connection, missed)
        claimed |= renewed
    if missed and (replayed := await _replay(connection, missed)):
        again = [request for request in missed if request.envelope.id in replayed]
        more, _ = await _claim_pending(connection, again)
        claimed |= more
    return [claimed.get(request.lease_token) for request in requests]


async def _claim_pending(
    connection: AsyncConnection, requests: Sequence[ClaimRequest]
) -> tuple[dict[UUID, Claimed], Sequence[ClaimRequest]]:
    rows = await _lease(connection, _CLAIM, requests)
    events = [
        event_row(row.id, (CLAIM if row.lease_token else EXPIRE).name, row.attempt) for row in rows
    ]
    await timeline.append(connection, events)
    return _sorted_out(requests, rows)


async def _renew(
    connection: AsyncConnection, requests: Sequence[ClaimRequest]
) -> tuple[dict[UUID, Claimed], Sequence[ClaimRequest]]:
    rows = await _lease(connection, _RENEW, requests)
    overdue = [row for row in rows if not row.lease_token]
    events = [event_row(row.id, EXPIRE.name, row.attempt) for row in overdue]
    await timeline.append(connection, events)
    return _sorted_out(requests, rows)


async def _lease(
    connection: AsyncConnection, statement: Executable, requests: Sequence[ClaimRequest]
) -> Sequence[Row[Any]]:
    rows = joined(map(_claim_row, requests))
    return (await connection.execute(statement, {"rows": rows})).all()


def _sorted_out(
    requests: Sequence[ClaimRequest], rows: Sequence[Row[Any]]
) -> tuple[dict[UUID, Claimed], Sequence[ClaimRequest]]:
    """Return what was claimed, by token, and the requests whose record was not touched."""
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
    replayed = (await connection.execute(_REPLAY, {"rows": rows})).all()
    await timeline.append(
        connection, [event_row(row.id, REPLAY.name, row.attempt) for row in replayed]
    )
    return {row.id for row in replayed}


def checked(finish: Finish) -> Finish:
    """Return it if it ends an attempt.

    Raises:
        ValueError: its transition does not start from processing.
    """
    if Status.PROCESSING not in finish.transition.sources:
        raise ValueError(f"{finish.transition.name} does not end an attempt")
    return finish


async def finish(
    connection: AsyncConnection, finishes: Sequence[Finish], *, grace_s: float
) -> list[bool]:
    """Record the ends of attempts; those without their lease only reach the timeline."""
    firsts: dict[UUID, Finish] = {}
    for each in finishes:
        firsts.setdefault(each.id, each)
    rows = joined(map(finish_row, firsts.values()))
    result = await connection.execute(_FINISH, {"rows": rows, "grace_s": grace_s})
    recorded = [firsts[row.id] for row in result]
    ours = {id(each) for each in recorded}
    await timeline.append(connection, [row for each in recorded for row in _ending(each)])
    refused = {each.id: SuppressionReason.REFUSED for each in recorded if each.suppress}
    await suppressing.suppress(connection, refused)
    missed = [each for each in finishes if id(each) not in ours]
    late = await _late(connection, missed) if missed else set()
    return [timeline.ending_of(each) not in late for each in finishes]


def _ending(finish: Finish) -> Iterable[RowJson]:
    for nth, miss in enumerate(finish.misses):
        yield event_row(finish.id, timeline.FAILOVER, finish.attempt, source=miss, nth=nth)
    nth = len(finish.misses)
    yield event_row(finish.id, finish.transition.name, finish.attempt, source=finish, nth=nth)


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
