"""The hot path: claims and finishes, many callers' rows in each statement."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Float,
    FromClause,
    Integer,
    Row,
    Select,
    Text,
    Uuid,
    and_,
    case,
    func,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.delivery.ports import Claimed, Finish, Snoozes, Unclaimed
from notifier.idempotency import NotFound
from notifier.notification.envelope import Envelope
from notifier.notification.model import Status
from notifier.notification.orders import Erased
from notifier.notification.transitions import CLAIM, EXPIRE, REPLAY, SUPPRESS
from notifier.store.kit.batcher import batched
from notifier.store.kit.database import Database
from notifier.store.kit.rows import RowJson, encode, joined
from notifier.store.kit.seals import Seals
from notifier.store.kit.sql import (
    ID,
    Now,
    SecondsFromNow,
    SecondsUntil,
    given_rows,
    is_key,
    literal_text,
)
from notifier.store.kit.statements import Parameters
from notifier.store.notification import snoozes, suppressing, timeline, unknown
from notifier.store.notification.changes import (
    RETURNED,
    changes,
    erased,
    is_kept,
    locked,
    set_where,
    stands_at,
)
from notifier.store.notification.finishing import checked, finish
from notifier.store.notification.publications import _named
from notifier.store.notification.redirecting import redirect
from notifier.store.notification.rows import (
    envelope_row,
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
        n.c.depends_on,
        n.c.skip_if,
        n.c.sealed,
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
_ERASED = select(n.c.id).join_from(
    n,
    _named,
    and_(
        is_key(n.c.id, _named.c.id),
        n.c.attempt == _named.c.attempt,
        stands_at(*REPLAY.sources),
        ~is_kept(),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """One worker's wish to claim what an envelope names."""

    envelope: Envelope
    lease_token: UUID
    lease_s: float
    leased_by: str


async def claim(
    database: Database, requests: Sequence[ClaimRequest], *, seals: Seals | None = None
) -> list[Claimed | Unclaimed | None]:
    """CLAIM, EXPIRE or SUPPRESS what the envelopes name, after a REPLAY of what is failed."""
    rows = await database.write_at_once(_CLAIM, _leasing(requests))
    claimed, missed = _sorted(rows, requests, seals)
    found: dict[UUID, Claimed | Unclaimed] = dict(claimed)
    if missed:
        found |= await database.write(partial(_claim_others, requests=missed, seals=seals))
    return [found.get(request.lease_token) for request in requests]


async def claim_pending(
    connection: AsyncConnection, requests: Sequence[ClaimRequest], *, seals: Seals | None = None
) -> tuple[dict[UUID, Claimed], Sequence[ClaimRequest]]:
    """CLAIM, EXPIRE or SUPPRESS; returns what was claimed, by token, and what was not touched."""
    return await _lease(connection, _CLAIM, requests, seals)


async def _claim_others(
    connection: AsyncConnection, requests: Sequence[ClaimRequest], *, seals: Seals | None
) -> dict[UUID, Claimed | Unclaimed]:
    claimed, missed = await _lease(connection, _RENEW, requests, seals)
    if missed and (replayed := await _replay(connection, missed)):
        again = [request for request in missed if request.envelope.id in replayed]
        missed = [request for request in missed if request.envelope.id not in replayed]
        more, _ = await claim_pending(connection, again, seals=seals)
        claimed |= more
    return claimed | await _unclaimed(connection, missed)


async def _unclaimed(
    connection: AsyncConnection, requests: Sequence[ClaimRequest]
) -> dict[UUID, Unclaimed]:
    if not requests:
        return {}
    nameless = await unknown.note(connection, [request.envelope for request in requests])
    letters = [each for each in requests if each.envelope.id not in nameless]
    rows = joined(envelope_row(each.envelope) for each in letters)
    erased_ids = set(await connection.scalars(_ERASED, {"rows": rows}))
    reasons: dict[UUID, Unclaimed] = dict.fromkeys(nameless, NotFound())
    reasons |= dict.fromkeys(erased_ids, Erased())
    return {
        each.lease_token: reasons[each.envelope.id]
        for each in requests
        if each.envelope.id in reasons
    }


async def _lease(
    connection: AsyncConnection,
    statement: Noted,
    requests: Sequence[ClaimRequest],
    seals: Seals | None,
) -> tuple[dict[UUID, Claimed], Sequence[ClaimRequest]]:
    return _sorted(await statement.run(connection, _leasing(requests)), requests, seals)


def _leasing(requests: Sequence[ClaimRequest]) -> Parameters:
    return {"rows": joined(map(_claim_row, requests))}


def _sorted(
    rows: Sequence[Row[Any]], requests: Sequence[ClaimRequest], seals: Seals | None
) -> tuple[dict[UUID, Claimed], Sequence[ClaimRequest]]:
    """What was claimed, by token, and what was not touched."""
    touched = {row.id for row in rows}
    claimed = {row.lease_token: to_claimed(row, seals) for row in rows if row.lease_token}
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


class SqlLeases:
    """`Leases` over SQL: concurrent callers share round trips."""

    def __init__(self, database: Database, settings: StoreSettings) -> None:
        self._database = database
        self._pseudonyms = settings.pseudonyms
        ends = partial(finish, grace_s=settings.grace_s)
        claims = partial(claim, seals=settings.seals)
        self._claim = batched(database, claims, settings.max_batch, gather_s=settings.gather_s)
        self._finish = batched(database, ends, settings.max_batch, gather_s=settings.gather_s)

    async def claim(
        self, envelope: Envelope, *, lease_token: UUID, lease_s: float, leased_by: str
    ) -> Claimed | Unclaimed | None:
        return await self._claim.submit(
            ClaimRequest(
                envelope=envelope, lease_token=lease_token, lease_s=lease_s, leased_by=leased_by
            )
        )

    async def finish(self, finish: Finish) -> bool:
        return await self._finish.submit(checked(finish))

    async def redirect(self, claimed: Claimed, recipient: str) -> bool:
        work = partial(redirect, claimed=claimed, recipient=recipient, pseudonyms=self._pseudonyms)
        return await self._database.write(work)

    async def snoozes(self, id: UUID) -> Snoozes:
        return await self._database.read(partial(snoozes.snoozes, id=id))
