"""How items of an inbox are marked, and counted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Update,
    and_,
    case,
    func,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.inbox import Mark, Part
from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered, Unfinished
from notifier.store.inbox.arrivals import LOCK
from notifier.store.inbox.naming import Meant, names_of
from notifier.store.inbox.tables import IS_IN, inbox_items, inboxes, items
from notifier.store.kit import idempotency as keys
from notifier.store.kit.sql import ID, Now, UtcTime, parameter

MarkResult: TypeAlias = Applied | Remembered | KeyReused | NotFound | Unfinished

# A step takes some hundredths of a second, and what comes into the inbox waits for one.
_MOST_MARKED = 1_000
END = 2**63 - 1

Which: TypeAlias = Mapping[str, object]
"""What is marked, as parameters of a statement."""


_in_inbox = and_(
    inbox_items.c.service == parameter("which_service"),
    inbox_items.c.recipient == parameter("which_recipient"),
)
_FIND = select(inbox_items.c.seq).where(
    _in_inbox, inbox_items.c.notification_id == parameter("which_id", ID)
)


def _one_if(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    return case((and_(*conditions), 1), else_=0)


_is_unread, _is_unseen = items.read_at.is_(None), items.seen_at.is_(None)
_none: ColumnElement[int] = literal_column("0", Integer)
_unread = _one_if(_is_unread, IS_IN[Part.INBOX])
_unseen = _one_if(_is_unseen, IS_IN[Part.INBOX])
_BACK = (_one_if(_is_unread), _one_if(_is_unseen))
_READ: Mapping[str, Any] = {
    "read_at": func.coalesce(items.read_at, Now()),
    "seen_at": func.coalesce(items.seen_at, Now()),
}
_until = parameter("until", UtcTime)


@dataclass(frozen=True, slots=True)
class _Marking:
    """How a mark changes the items that it `changes`, and how they count afterwards."""

    part: Part
    """Whose items it is for, where all are marked."""
    changes: ColumnElement[bool]
    values: Mapping[str, Any]
    counts: tuple[ColumnElement[int], ColumnElement[int]]
    """Unread and not seen, each 0 or 1."""

    def found(self, of: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
        """Count the newest of those, and by what they change the counts of the inbox."""
        newest = (
            select(
                items.seq,
                (self.counts[0] - _unread).label("unread"),
                (self.counts[1] - _unseen).label("unseen"),
            )
            .where(_in_inbox, of, self.changes, items.seq < parameter("before", BigInteger))
            .order_by(items.seq.desc())
            .limit(parameter("most", Integer))
            .subquery()
        )
        return select(
            func.min(newest.c.seq).label("first"),
            func.count().label("many"),
            func.sum(newest.c.unread).label("unread"),
            func.sum(newest.c.unseen).label("unseen"),
        ).select_from(newest)

    def made(self, of: ColumnElement[bool]) -> Update:
        """Change those that were found."""
        return (
            update(inbox_items)
            .where(
                _in_inbox,
                of,
                self.changes,
                items.seq >= parameter("first", BigInteger),
                items.seq < parameter("before", BigInteger),
            )
            .values(self.values)
        )


_MARKINGS: Mapping[Mark, _Marking] = {
    Mark.SEEN: _Marking(Part.INBOX, _is_unseen, {"seen_at": Now()}, (_unread, _none)),
    Mark.READ: _Marking(Part.INBOX, _is_unread, _READ, (_none, _none)),
    Mark.UNREAD: _Marking(
        Part.INBOX, ~_is_unread, {"read_at": null()}, (_one_if(IS_IN[Part.INBOX]), _unseen)
    ),
    Mark.ARCHIVE: _Marking(
        Part.INBOX,
        items.archived_at.is_(None),
        {**_READ, "archived_at": Now(), "snoozed_until": null()},
        (_none, _none),
    ),
    Mark.UNARCHIVE: _Marking(Part.ARCHIVED, IS_IN[Part.ARCHIVED], {"archived_at": null()}, _BACK),
    Mark.SNOOZE: _Marking(
        Part.INBOX,
        items.snoozed_until.is_distinct_from(_until),
        {"snoozed_until": _until, "archived_at": null()},
        (_none, _none),
    ),
    Mark.UNSNOOZE: _Marking(Part.SNOOZED, IS_IN[Part.SNOOZED], {"snoozed_until": null()}, _BACK),
}
_is_that = items.notification_id == parameter("which_id", ID)
_OF_ONE = {mark: (it.found(_is_that), it.made(_is_that)) for mark, it in _MARKINGS.items()}
# The newest first: from there on downwards, what was marked before is not come across again.
_OF_ALL = {
    mark: (it.found(IS_IN[it.part]), it.made(IS_IN[it.part])) for mark, it in _MARKINGS.items()
}
_of_inbox = and_(
    inboxes.c.service == parameter("which_service"),
    inboxes.c.recipient == parameter("which_recipient"),
)
_HEAD = select(inboxes).where(_of_inbox)
_COUNT_MARKED = (
    update(inboxes)
    .where(_of_inbox)
    .values(
        unread=inboxes.c.unread + parameter("unread", BigInteger),
        unseen=inboxes.c.unseen + parameter("unseen", BigInteger),
        version=inboxes.c.version + 1,
    )
)


async def mark_one(
    connection: AsyncConnection, *, mark: Mark, which: Which, meant: Meant
) -> Applied | NotFound:
    """Mark the one that `which` names."""
    which = await _hold(connection, which, meant)
    if await connection.scalar(_FIND, _without_time(which)) is None:
        return NotFound()
    await _make(connection, _OF_ONE[mark], {**which, "before": END, "most": 1})
    return Applied()


async def mark_many(
    connection: AsyncConnection,
    *,
    mark: Mark,
    which: Which,
    meant: Meant,
    before: int,
    wanted: Idempotency | None,
) -> MarkResult | int:
    """Mark the newest before this seq; returns the seq to go on before if there may be more."""
    if wanted and (answered := await keys.find(connection, wanted)):
        return answered
    which = await _hold(connection, which, meant)
    most = await _most(connection, mark, which)
    first, count = await _make(connection, _OF_ALL[mark], {**which, "before": before, "most": most})
    if count == _MOST_MARKED:
        return first
    if wanted and (earlier := await keys.keep(connection, [wanted])):
        await connection.rollback()
        return keys.answer_again(wanted, earlier[keys.name_of(wanted)])
    return Applied()


async def _most(connection: AsyncConnection, mark: Mark, which: Which) -> int:
    """How many to look for: where the inbox counts them, no further than to the last of them."""
    head = (await connection.execute(_HEAD, _without_time(which))).one_or_none()
    counted = {Mark.SEEN: "unseen", Mark.READ: "unread"}.get(mark)
    left = getattr(head, counted) if counted and head else _MOST_MARKED
    return max(0, min(left, _MOST_MARKED))


async def _make(
    connection: AsyncConnection, statements: tuple[Select[*tuple[Any, ...]], Update], which: Which
) -> tuple[int, int]:
    """Make a change and count it; returns the first seq that it met, and how many it changed."""
    find, change = statements
    found = (await connection.execute(find, which)).one()
    if found.many:
        await connection.execute(change, {**which, "first": found.first})
        counted = {"unread": int(found.unread), "unseen": int(found.unseen)}
        await connection.execute(_COUNT_MARKED, {**_without_time(which), **counted})
    return found.first or 0, found.many


def _without_time(which: Which) -> Which:
    return {name: value for name, value in which.items() if name.startswith("which_")}


async def _hold(connection: AsyncConnection, which: Which, meant: Meant) -> Which:
    """Lock the inbox, and return it by the name by which it is kept."""
    name = (str(which["which_service"]), str(which["which_recipient"]))
    await connection.execute(LOCK, {"rows": names_of([name])})
    # Only now, as a merge holds what it moves.
    kept = (await meant(connection, [name]))[name]
    if kept != name:
        await connection.execute(LOCK, {"rows": names_of([kept])})
    return {**which, "which_recipient": kept[1]}
