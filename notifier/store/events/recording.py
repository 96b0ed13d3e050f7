"""Recording events with all that comes of them, each in one transaction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Boolean, Integer, Row, Text, Uuid, literal_column, select, true, update
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.events.event import (
    Answer,
    Differs,
    Event,
    EventKey,
    Outcome,
    Reaction,
    Repeated,
    Taken,
)
from notifier.intake.ports import Submission
from notifier.notification.model import Status
from notifier.store.broadcasts.keeping import accept_within
from notifier.store.events import collecting
from notifier.store.events.lines import Line, Person, lines_of
from notifier.store.events.tables import event_matches, events
from notifier.store.events.throttling import throttle
from notifier.store.kit.rows import RowJson, encode, joined
from notifier.store.kit.sql import ID, Now, UtcTime, given_rows, is_key, time_text
from notifier.store.notification.cancelling import cancel_within
from notifier.store.notification.intake import insert_within, rows_of
from notifier.store.notification.settings import StoreSettings

_e = events.c
_m = event_matches.c
_KEY = (_e.service, _e.source, _e.event_id)
_given = given_rows(
    id=ID,
    service=Text,
    source=Text,
    event_id=Text,
    type=Text,
    subject=Text,
    time=UtcTime,
    data=Text,
    checksum=Text,
    matched=Integer,
    cancelled=Integer,
)
_ADD = (
    insert(events)
    .from_select([*_given.c.keys(), "received_at"], select(*_given.c, Now()).where(true()))
    .on_conflict_do_nothing(index_elements=[*_KEY])
    .returning(_e.id)
)
_asked = given_rows(service=Text, source=Text, event_id=Text)
FIND = select(_e.id, *_KEY, _e.checksum, _e.matched).join_from(
    _asked,
    events,
    is_key(_e.service, _asked.c.service)
    & is_key(_e.source, _asked.c.source)
    & is_key(_e.event_id, _asked.c.event_id),
)
_matches = given_rows(
    event_id=ID,
    nth=Integer,
    service=Text,
    rule=Text,
    version_id=Uuid,
    person=Text,
    is_user=Boolean,
    key=Text,
    outcome=Text,
    reason=Text,
    notification_ids=Text,
    digest_id=Uuid,
    broadcast_id=Uuid,
)
_adding = insert(event_matches).from_select([*_matches.c.keys()], select(*_matches.c).where(true()))
_CLAIM = _adding.on_conflict_do_nothing(
    index_elements=[_m.service, _m.rule, _m.person, _m.key],
    index_where=literal_column("key IS NOT NULL AND outcome = 'matched'", Boolean),
).returning(_m.event_id, _m.nth)
_LATE = ("outcome", "reason", "notification_ids", "digest_id")
_KEEP = _adding.on_conflict_do_update(
    index_elements=[_m.event_id, _m.nth],
    set_={name: _adding.excluded[name] for name in _LATE},
)
_counts = given_rows(id=ID, matched=Integer, cancelled=Integer)
_CORRECT = (
    update(events)
    .where(is_key(_e.id, _counts.c.id))
    .values(matched=_counts.c.matched, cancelled=_counts.c.cancelled)
)


class Recorder:
    """Records reactions in a transaction of its caller's."""

    def __init__(self, limits: StoreSettings) -> None:
        self._pseudonyms = limits.pseudonyms
        self._seals = limits.seals
        self._grace_s = limits.grace_s

    async def record(
        self, connection: AsyncConnection, reactions: Sequence[Reaction]
    ) -> Sequence[Answer]:
        """Store each event and its effects unless it is there; answers in their order."""
        firsts: dict[EventKey, Reaction] = {}
        for each in reactions:
            firsts.setdefault(each.event.key, each)
        # In one order for everybody: nobody waits for whoever waits for them.
        rows = joined(_event_row(firsts[key]) for key in sorted(firsts))
        new = set(await connection.scalars(_ADD, {"rows": rows}))
        fresh = [each for each in firsts.values() if each.id in new]
        taken: dict[UUID, Taken] = {}
        for portion in _portions(fresh):
            taken |= await self._carry_out(connection, portion)
        there = await find(connection, [key for key in firsts if firsts[key].id not in new])
        return [_answer(each, taken, firsts, there) for each in reactions]

    async def _carry_out(
        self, connection: AsyncConnection, reactions: Sequence[Reaction]
    ) -> Mapping[UUID, Taken]:
        cancelled = {each.id: await _take_back(connection, each) for each in reactions}
        by_event = {each.id: lines_of(each) for each in reactions}
        lines = [line for own in by_event.values() for line in own]
        await _claim_keys(connection, lines)
        await throttle(connection, lines)
        await collecting.collect(connection, lines)
        accepted = await self._accept(connection, lines)
        await _keep(connection, lines)
        await _correct(connection, by_event, cancelled)
        return {id: _taken(id, own, accepted) for id, own in by_event.items()}

    async def _accept(
        self, connection: AsyncConnection, lines: Sequence[Line]
    ) -> Mapping[UUID, Submission]:
        """Accept what is left of the submissions; returns those that are due at once."""
        for line in lines:
            if line.is_on and line.match.broadcast:
                await accept_within(connection, line.match.broadcast)
        wanted = {each.id: each for line in lines for each in line.submissions if _acts(line)}
        made = list(wanted.values())
        rows = rows_of(made, self._pseudonyms, self._seals)
        statuses = await insert_within(connection, made, rows, grace_s=self._grace_s)
        for line in lines:
            line.accepted = [each.id for each in line.submissions if each.id in statuses]
        return {
            id: wanted[id]
            for id, status in statuses.items()
            if status is Status.PENDING and wanted[id].send_at is None
        }


def _portions(reactions: Sequence[Reaction]) -> Iterator[Sequence[Reaction]]:
    """Split where something is taken back: that concerns what came before it."""
    portion: list[Reaction] = []
    for each in reactions:
        if each.effects.cancels and portion:
            yield portion
            portion = []
        portion.append(each)
    if portion:
        yield portion


def _acts(line: Line) -> bool:
    return line.outcome in (Outcome.MATCHED, Outcome.THROTTLED)


async def find(
    connection: AsyncConnection, keys: Iterable[EventKey]
) -> Mapping[EventKey, Row[*tuple[Any, ...]]]:
    """Return those events that are stored."""
    asked = [
        encode({"service": each.service, "source": each.source, "event_id": each.id})
        for each in keys
    ]
    if not asked:
        return {}
    rows = (await connection.execute(FIND, {"rows": joined(asked)})).all()
    return {EventKey(row.service, row.source, row.event_id): row for row in rows}


def standing(event: Event, row: Row[*tuple[Any, ...]]) -> Repeated | Differs:
    """Say what an event is to the one that has its key."""
    if row.checksum == event.content_checksum:
        return Repeated(row.id, row.matched)
    return Differs(row.id)


def _answer(
    asked: Reaction,
    taken: Mapping[UUID, Taken],
    firsts: Mapping[EventKey, Reaction],
    there: Mapping[EventKey, Row[*tuple[Any, ...]]],
) -> Answer:
    if asked.id in taken:
        return taken[asked.id]
    key = asked.event.key
    if key in there:
        return standing(asked.event, there[key])
    first = firsts[key]
    if first.event.content_checksum == asked.event.content_checksum:
        return Repeated(first.id, taken[first.id].matched)
    return Differs(first.id)


async def _claim_keys(connection: AsyncConnection, lines: Sequence[Line]) -> None:
    """Let only those go on that are the first of their keys."""
    keyed = [line for line in lines if line.is_on and line.match.key is not None]
    if not keyed:
        return
    rows = joined(map(_match_row, sorted(keyed, key=_whose)))
    claimed = {tuple(row) for row in (await connection.execute(_CLAIM, {"rows": rows})).all()}
    for line in keyed:
        if (line.reaction.id, line.nth) not in claimed:
            line.outcome, line.submissions = Outcome.REPEATED, ()
            line.reason = "it was carried out for this key before"


def _whose(line: Line) -> Person:
    return line.of(line.match.key or "")


async def _keep(connection: AsyncConnection, lines: Sequence[Line]) -> None:
    if lines:
        await connection.execute(_KEEP, {"rows": joined(map(_match_row, lines))})


async def _take_back(connection: AsyncConnection, reaction: Reaction) -> int:
    """Take back what its event cancels; returns how many notifications."""
    service, cancelled = reaction.event.service, 0
    for each in reaction.effects.cancels:
        if each.unless_event is None:
            await collecting.drop(connection, service, each)
        gone = await cancel_within(
            connection, service, each.key, rule=each.rule, unless_event=each.unless_event
        )
        cancelled += len(gone)
    return cancelled


async def _correct(
    connection: AsyncConnection,
    lines: Mapping[UUID, Sequence[Line]],
    cancelled: Mapping[UUID, int],
) -> None:
    """Note how much came of them, where that is not what was expected."""
    rows = [
        encode({"id": id.hex, "matched": _on(own), "cancelled": cancelled[id]})
        for id, own in lines.items()
        if cancelled[id] or _on(own) != sum(each.match.outcome is Outcome.MATCHED for each in own)
    ]
    if rows:
        await connection.execute(_CORRECT, {"rows": joined(rows)})


def _on(lines: Sequence[Line]) -> int:
    return sum(each.is_on for each in lines)


def _taken(id: UUID, lines: Sequence[Line], accepted: Mapping[UUID, Submission]) -> Taken:
    due = [accepted[each] for line in lines for each in line.accepted if each in accepted]
    return Taken(id, _on(lines), due, [each.outcome for each in lines])


def _event_row(reaction: Reaction) -> RowJson:
    event = reaction.event
    return encode(
        {
            "id": reaction.id.hex,
            "service": event.service,
            "source": event.source,
            "event_id": event.id,
            "type": event.type,
            "subject": event.subject,
            "time": time_text(event.time) if event.time else None,
            "data": orjson.dumps(event.data).decode(),
            "checksum": event.content_checksum,
            "matched": sum(each.outcome is Outcome.MATCHED for each in reaction.effects.matches),
            "cancelled": 0,
        }
    )


def _match_row(line: Line) -> RowJson:
    match = line.match
    ids = [str(each) for each in line.accepted]
    return encode(
        {
            "event_id": line.reaction.id.hex,
            "nth": line.nth,
            "service": line.reaction.event.service,
            "rule": match.rule,
            "version_id": match.version_id.hex,
            "person": match.person or "",
            "is_user": match.is_user,
            "key": match.key,
            "outcome": line.outcome,
            "reason": line.reason,
            "notification_ids": orjson.dumps(ids).decode() if ids else None,
            "digest_id": line.digest_id.hex if line.digest_id else None,
            "broadcast_id": match.broadcast.id.hex if match.broadcast else None,
        }
    )
