"""Retention: the rules, and passes through each service's notifications that keep to them.

A pass goes by id, which is by the time of acceptance, so that nothing on the way of a notification
pays for it: no index is there for this alone. What is not over yet, or is looked at by somebody
else, is come across again by the next pass, a day later at most.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Float,
    Integer,
    Row,
    Select,
    Table,
    Text,
    and_,
    delete,
    exists,
    func,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.idempotency import NotFound
from notifier.notification.feed import ACCEPT
from notifier.notification.model import Channel, Status
from notifier.notification.retention import Policy, PurgeReason, Rule, StoredRule, Terms
from notifier.store import captures
from notifier.store.inbox import removing
from notifier.store.kit.database import Database
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import (
    ID,
    Now,
    SecondsFromNow,
    UtcTime,
    given_rows,
    is_key,
    parameter,
)
from notifier.store.kit.tables import metadata
from notifier.store.notification import feed, purged
from notifier.store.notification.attaching import let_go
from notifier.store.notification.changes import ERASABLE, is_kept, stands_at
from notifier.store.notification.matching import Span, first_id
from notifier.store.notification.searching import every_service, line_of
from notifier.store.notification.tables import ROWS, notification_events, purge_places
from notifier.store.notification.tables import notifications as n

retention_rules = Table(
    "retention_rules",
    metadata,
    Column("service", Text, primary_key=True),
    # Empty: every channel that has no rule of its own.
    Column("channel", Text, primary_key=True),
    # NULL: for ever.
    Column("content_days", Integer),
    Column("rows_days", Integer),
    Column("updated_at", UtcTime, nullable=False),
)

_CONTENT: Final = "content"
_AT_ONCE = 100
_DAY_S = 86_400.0
_NOWHERE = UUID(int=0)
_NO_READER = 2**63 - 1

_r, _p = retention_rules.c, purge_places.c
_SERVICES = select(every_service.c.service).where(every_service.c.service.is_not(None))
_NOW = select(Now())

_of_service, _what = parameter("which_service"), parameter("which_what")
_BEGIN = (
    insert(purge_places)
    .values(service=_of_service, what=_what, place=_NOWHERE, began_at=Now(), farthest=_NOWHERE)
    .on_conflict_do_nothing()
)
_is_it = and_(_p.service == _of_service, _p.what == _what)
_TAKE = select(purge_places).where(_is_it).with_for_update(skip_locked=True)
_GO_ON = update(purge_places).where(_is_it)

_ids = given_rows(id=ID)
_terms = given_rows("terms", channel=Text, for_s=Float)
_is_over = stands_at(*(status for status in Status if status.is_final))
_is_ended = n.c.finished_at <= SecondsFromNow(-_terms.c.for_s)
_is_unread = exists().where(
    notification_events.c.notification_id == n.c.id,
    notification_events.c.id > parameter("slowest", BigInteger),
)


def _past_term(condition: ColumnElement[bool]) -> Select[UUID]:
    """Pick those given that are past their term and that nobody is at: no one waits for another."""
    return (
        select(n.c.id)
        .join_from(_ids, n, is_key(n.c.id, _ids.c.id))
        .join(_terms, _terms.c.channel == n.c.channel)
        .where(_is_over, _is_ended, condition)
        .order_by(n.c.id)
        .with_for_update(of=n, skip_locked=True)
    )


_WITH_CONTENT = _past_term(n.c.content_purged_at.is_(None))
_READ_BY_ALL = _past_term(~_is_unread)
_STILL_KEPT = (
    select(n.c.service, n.c.channel, func.count().label("count_"))
    .where(n.c.id.in_(select(_ids.c.id)), is_kept())
    .group_by(n.c.service, n.c.channel)
)
_PURGE_CONTENT = (
    update(n)
    .where(n.c.id.in_(select(_ids.c.id)))
    .values(content_purged_at=Now(), **{column.name: null() for column in ERASABLE})
)
_PURGE_ROWS = (
    delete(n)
    .where(n.c.id.in_(select(_ids.c.id)))
    .returning(
        n.c.id,
        n.c.service,
        n.c.channel,
        n.c.status,
        or_(n.c.dead_letter, n.c.stale_letter_at.is_not(None)).label("has_letter"),
    )
)


class SqlRetentionRules:
    """`RetentionRules` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[StoredRule]:
        return await self._database.read(_rules)

    async def set(self, rule: Rule) -> StoredRule:
        values = {
            "content_days": rule.terms.content_days,
            "rows_days": rule.terms.rows_days,
            "updated_at": Now(),
        }
        statement = (
            insert(retention_rules)
            .values(service=rule.service, channel=rule.channel or "", **values)
            .on_conflict_do_update(index_elements=[_r.service, _r.channel], set_=values)
            .returning(retention_rules)
        )

        async def work(connection: AsyncConnection) -> StoredRule:
            return _to_rule((await connection.execute(statement)).one())

        return await self._database.write(work)

    async def remove(self, service: str, channel: Channel | None) -> NotFound | None:
        removal = delete(retention_rules).where(
            _r.service == service, _r.channel == (channel or "")
        )

        async def work(connection: AsyncConnection) -> NotFound | None:
            return None if (await connection.execute(removal)).rowcount else NotFound()

        return await self._database.write(work)


async def _rules(connection: AsyncConnection) -> Sequence[StoredRule]:
    query = select(retention_rules).order_by(_r.service, _r.channel)
    return [_to_rule(row) for row in await connection.execute(query)]


def _to_rule(row: Row[Any]) -> StoredRule:
    return StoredRule(
        service=row.service,
        channel=Channel(row.channel) if row.channel else None,
        terms=Terms(content_days=row.content_days, rows_days=row.rows_days),
        updated_at=row.updated_at,
    )


@dataclass(frozen=True, slots=True)
class _Pass:
    """A pass through one service's notifications: what goes after how many seconds, by channel."""

    service: str
    what: str
    after_s: Mapping[Channel, float]

    @property
    def names(self) -> Mapping[str, str]:
        return {"which_service": self.service, "which_what": self.what}

    def ended_before(self, now: datetime) -> datetime:
        """Return since when nothing is old enough yet."""
        return now - timedelta(seconds=min(self.after_s.values()))


class SqlPurge:
    """`Purge` over SQL."""

    def __init__(self, database: Database, *, at_once: int = _AT_ONCE) -> None:
        """It looks at `at_once` notifications in a transaction."""
        self._database = database
        self._at_once = at_once

    async def step(self, defaults: Terms) -> bool:
        policy = Policy(defaults, await self._database.read(_rules))
        if policy.is_for_ever:
            return False
        services = await self._database.search(_services)
        passes = [each for service in services for each in _passes(service, policy)]
        return any([await self._go_on(each) for each in passes])

    async def _go_on(self, way: _Pass) -> bool:
        go_on = partial(_go_on, way=way, at_once=self._at_once)
        return await self._database.write(go_on)


async def _services(connection: AsyncConnection) -> Sequence[str]:
    return (await connection.scalars(_SERVICES)).all()


def _passes(service: str, policy: Policy) -> Sequence[_Pass]:
    terms = policy.of(service)
    days = {
        _CONTENT: {channel: each.content_days for channel, each in terms.items()},
        ROWS: {channel: each.rows_days for channel, each in terms.items()},
    }
    passes = [
        _Pass(service, what, {channel: n * _DAY_S for channel, n in each.items() if n is not None})
        for what, each in days.items()
    ]
    return [each for each in passes if each.after_s]


async def _go_on(connection: AsyncConnection, *, way: _Pass, at_once: int) -> bool:
    """Look at the next of a service; says whether there are more. Somebody else's turn: no."""
    await connection.execute(_BEGIN, way.names)
    place = (await connection.execute(_TAKE, way.names)).one_or_none()
    if place is None:
        return False
    now = (await connection.execute(_NOW)).scalar_one()
    end = first_id(way.ended_before(now))
    span = Span(UUID(int=place.place.int + 1), end)
    looked_at = line_of(way.service).oldest(span, n.c.id).limit(at_once)
    ids = (await connection.scalars(looked_at)).all()
    gone = await _let_go(connection, way, ids)
    is_through = len(ids) < at_once
    begins = is_through and now - place.began_at >= timedelta(seconds=_DAY_S)
    values: dict[str, object] = {"farthest": max([place.farthest, *gone])}
    if begins:
        values |= {"place": _NOWHERE, "began_at": now}
    elif ids:
        values["place"] = ids[-1]
    await connection.execute(_GO_ON.values(values), way.names)
    return not is_through


async def _let_go(
    connection: AsyncConnection, way: _Pass, ids: Collection[UUID]
) -> Collection[UUID]:
    """Let go those that are past their term; returns which."""
    if not ids:
        return ()
    terms = [encode({"channel": each, "for_s": for_s}) for each, for_s in way.after_s.items()]
    given = {"rows": _rows_of(ids), "terms": joined(terms)}
    if way.what == _CONTENT:
        past = (await connection.scalars(_WITH_CONTENT, given)).all()
        await purge_content(connection, past, PurgeReason.RETENTION)
        return past
    slowest = await feed.slowest(connection)
    given["slowest"] = _NO_READER if slowest is None else slowest  # type: ignore[assignment]
    past = (await connection.scalars(_READ_BY_ALL, given)).all()
    await _purge_rows(connection, past)
    return past


async def purge_content(
    connection: AsyncConnection, ids: Collection[UUID], reason: PurgeReason
) -> None:
    """Let go what these, which are locked, were sent with, and where it was shown; count them.

    Those whose content is gone already are counted no more.
    """
    if not ids:
        return
    given = {"rows": _rows_of(ids)}
    kept = (await connection.execute(_STILL_KEPT, given)).all()
    await connection.execute(_PURGE_CONTENT, given)
    await _purge_beside(connection, ids)
    gone = {(row.service, row.channel): row.count_ for row in kept}
    await purged.count_content(connection, gone, reason)


async def _purge_beside(connection: AsyncConnection, ids: Collection[UUID]) -> None:
    await let_go(connection, ids)
    await captures.remove(connection, ids)
    await removing.remove(connection, ids)


async def _purge_rows(connection: AsyncConnection, ids: Collection[UUID]) -> None:
    if not ids:
        return
    await _purge_beside(connection, ids)
    begun = await feed.remove(connection, ids)
    rows = (await connection.execute(_PURGE_ROWS, {"rows": _rows_of(ids)})).all()
    channels = {row.id: row.channel for row in rows}
    service = rows[0].service
    counts = Counter((service, row.channel, row.status) for row in rows)
    counts.update((service, channels[id], ACCEPT) for id in begun)
    await purged.count(connection, counts)
    await purged.note_letters(connection, {row.channel for row in rows if row.has_letter})


def _rows_of(ids: Collection[UUID]) -> str:
    return joined(encode({"id": id.hex}) for id in ids)
