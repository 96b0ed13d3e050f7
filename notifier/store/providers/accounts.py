"""Provider accounts: their breakers and paces, shared by all workers."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Executable,
    Float,
    Row,
    and_,
    case,
    func,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.idempotency import Applied, Idempotency, KeyReused, Remembered
from notifier.providers.account import Answered, ProviderState, PutOff
from notifier.store.kit.batcher import Batcher
from notifier.store.kit.database import Database
from notifier.store.kit.idempotency import write_once
from notifier.store.kit.sql import Now, SecondsFromNow, SecondsUntil, parameter
from notifier.store.notification import snoozes
from notifier.store.providers import answers, pacing
from notifier.store.providers.pacing import Turn, Wish
from notifier.store.providers.tables import providers as p

_MAX_BATCH = 500

_which = p.c.name == parameter("which")
_then = SecondsFromNow(parameter("for_s", Float))
_reason = parameter("why")


def _is_past(column: ColumnElement[Any]) -> ColumnElement[bool]:
    return or_(column.is_(None), column <= Now())


def _later(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((or_(column.is_(None), column < _then), _then), else_=column)


def _setting(new: Mapping[str, Any], changed: Mapping[str, Any]) -> Executable:
    """Return the statement that sets these values for an account, known or not."""
    values = {"name": parameter("which"), "is_paused": False, "trips": 0, **new}
    return insert(p).values(values).on_conflict_do_update(index_elements=["name"], set_=changed)


# The breaker is closed or its time has come: otherwise another worker has just opened it.
_is_tripped = or_(p.c.opened_at.is_(None), _is_past(p.c.open_until))
_OPEN = _setting(
    {"opened_at": Now(), "open_until": _then, "reason": _reason, "trips": 1},
    {
        "opened_at": func.coalesce(p.c.opened_at, Now()),
        "open_until": case((_is_tripped, _then), else_=_later(p.c.open_until)),
        "probe_until": null(),
        "reason": _reason,
        "trips": case((_is_tripped, p.c.trips + 1), else_=p.c.trips),
    },
)
_THROTTLE = _setting({"throttled_until": _then}, {"throttled_until": _later(p.c.throttled_until)})
_PAUSE = _setting(
    {"is_paused": True, "pause_reason": _reason}, {"is_paused": True, "pause_reason": _reason}
)
_closed = {
    "opened_at": null(),
    "open_until": null(),
    "probe_until": null(),
    "reason": null(),
    "trips": 0,
}
_CLOSE = update(p).where(_which).values(_closed)
_RESUME = _CLOSE.values(is_paused=False, pause_reason=null(), throttled_until=null())
_PROBE = (
    update(p)
    .where(
        _which,
        ~p.c.is_paused,
        p.c.opened_at.is_not(None),
        and_(*(_is_past(p.c[name]) for name in ("open_until", "throttled_until", "probe_until"))),
    )
    .values(probe_until=_then)
)
_RELEASE = (
    update(p)
    .where(_which, p.c.opened_at.is_not(None))
    .values(open_until=_later(p.c.open_until), probe_until=null())
)
_STATES = select(
    p.c.name,
    p.c.is_paused,
    p.c.opened_at,
    func.coalesce(SecondsUntil(p.c.open_until), literal(0.0)).label("open_s"),
    func.coalesce(SecondsUntil(p.c.throttled_until), literal(0.0)).label("throttled_s"),
    case((p.c.is_paused, p.c.pause_reason), else_=p.c.reason).label("reason"),
    p.c.trips,
).order_by(p.c.name)


class SqlProviderStore:
    """`ProviderStore` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reserve = Batcher(
            self._reserve_all, max_batch=_MAX_BATCH, timeout_s=database.timeout_s
        )

    async def states(self) -> Sequence[ProviderState]:
        async def work(connection: AsyncConnection) -> Sequence[ProviderState]:
            return [_to_state(row) for row in await connection.execute(_STATES)]

        return await self._database.read(work)

    async def put_off(self) -> Sequence[PutOff]:
        return await self._database.read(snoozes.put_off)

    async def answered(self) -> Sequence[Answered]:
        return await self._database.search(answers.answered)

    async def open(self, name: str, *, reason: str, for_s: float) -> None:
        await self._change(_OPEN, {"which": name, "why": reason, "for_s": for_s})

    async def throttle(self, name: str, *, for_s: float) -> None:
        await self._change(_THROTTLE, {"which": name, "for_s": for_s})

    async def probe(self, name: str, *, lease_s: float) -> bool:
        return await self._change(_PROBE, {"which": name, "for_s": lease_s}) > 0

    async def release(self, name: str, *, for_s: float) -> None:
        await self._change(_RELEASE, {"which": name, "for_s": for_s})

    async def close(self, name: str) -> None:
        await self._change(_CLOSE, {"which": name})

    async def pause(
        self, name: str, *, reason: str, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused:
        return await self._order(_PAUSE, {"which": name, "why": reason}, idempotency)

    async def resume(
        self, name: str, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused:
        return await self._order(_RESUME, {"which": name}, idempotency)

    async def reserve(self, name: str, *, rate_per_s: float, patience_s: float) -> float | None:
        turn = await self._reserve.submit(Wish(name, rate_per_s, patience_s))
        return turn.delay_s if turn else None

    async def _reserve_all(self, wishes: Sequence[Wish]) -> Sequence[Turn | None]:
        return await self._database.write(lambda connection: pacing.reserve(connection, wishes))

    async def _order(
        self,
        statement: Executable,
        parameters: Mapping[str, object],
        idempotency: Idempotency | None,
    ) -> Applied | Remembered | KeyReused:
        async def work(connection: AsyncConnection) -> Applied:
            await connection.execute(statement, parameters)
            return Applied()

        return await write_once(self._database, idempotency, work)

    async def _change(self, statement: Executable, parameters: Mapping[str, object]) -> int:
        async def work(connection: AsyncConnection) -> int:
            result = await connection.execute(statement, parameters)
            return result.rowcount

        return await self._database.write(work)


def _to_state(row: Row[Any]) -> ProviderState:
    return ProviderState(
        name=row.name,
        is_paused=row.is_paused,
        opened_at=row.opened_at,
        closed_for_s=max(0.0, row.open_s, row.throttled_s),
        reason=row.reason,
        trips=row.trips,
    )
