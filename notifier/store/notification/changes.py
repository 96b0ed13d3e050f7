"""What a transition does to a record, whichever statement applies it."""

from typing import Any

from sqlalchemy import (
    CTE,
    Column,
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    Update,
    and_,
    case,
    func,
    literal,
    null,
    or_,
    select,
    true,
    update,
)

from notifier.notification.model import Status
from notifier.notification.transitions import REPLAY, SETTLE, Transition
from notifier.store.kit.sql import Now, is_key, literal_text
from notifier.store.notification.rows import fault_columns
from notifier.store.notification.sealing import CONTENT
from notifier.store.notification.tables import notifications as n

ERASABLE = (*(n.c[name] for name in CONTENT), n.c.sealed)
"""What retention lets go of: the content."""
ERASED = (*ERASABLE, n.c.metadata)
"""What a sensitive one loses at its end."""

RETURNED = (n.c.id, n.c.service, n.c.status, n.c.attempt)
"""What a change returns of each record it changed."""


def status_in(*statuses: Status) -> ColumnElement[bool]:
    """Whether a record has one of these statuses, spelled out for the partial indexes."""
    if len(statuses) == 1:
        return n.c.status == literal_text(statuses[0])
    return n.c.status.in_([literal_text(status) for status in sorted(statuses)])


def stands_at(*statuses: Status) -> ColumnElement[bool]:
    """Whether a record, found by its key, has one of these statuses.

    Not in the words of a partial index: all of that would be read to find those few.
    """
    return (n.c.status + literal_text("")).in_([literal_text(each) for each in sorted(statuses)])


def is_kept() -> ColumnElement[bool]:
    """Whether a record still has all of its content: a template's variables are never NULL."""
    pinned = and_(n.c.template_version_id.is_not(None), n.c.variables.is_not(None))
    return or_(n.c.content.is_not(None), n.c.sealed.is_not(None), pinned)


def allowed(transition: Transition) -> ColumnElement[bool]:
    """Whether a record's state allows the transition."""
    sources = stands_at(*transition.sources)
    if transition is REPLAY:
        return and_(sources, is_kept())
    if transition is SETTLE:
        return and_(sources, n.c.outcome_unknown)
    return sources


def unleased() -> dict[str, Any]:
    """Return the values that end a lease."""
    return {"lease_token": null(), "lease_until": null(), "leased_by": null()}


def erased(when: ColumnElement[bool]) -> dict[str, Any]:
    """Return the values that erase what a sensitive notification says, and its metadata."""
    sensitive = and_(n.c.sensitive, when)
    return {column.name: case((sensitive, null()), else_=column) for column in ERASED}


def effects(transition: Transition) -> dict[str, Any]:
    """Return the values that a transition sets, all but what is particular to one record."""
    values = {"status": literal_text(transition.target), "updated_at": Now(), **unleased()}
    if transition.target.is_final:
        values |= {"finished_at": func.coalesce(n.c.finished_at, Now()), **erased(true())}
    if transition.target is Status.PENDING:
        values |= {"due_at": Now(), "relay_at": Now(), "published_at": null()}
    if transition.target is Status.FAILED:
        values["relay_at"] = Now()
    if transition.target is Status.SENT:
        values |= {"sent_at": func.coalesce(n.c.sent_at, Now()), **fault_columns(None)}
    return values | _freed(transition)


def _freed(transition: Transition) -> dict[str, Any]:
    if transition is REPLAY:
        since = {"finished_at": null(), "replay_id": null(), "discarded_at": null()}
        return {"attempts_spent": literal(0), **since, **without_letter()}
    return without_letter() if transition is SETTLE else {}


def without_letter() -> dict[str, Any]:
    """Return the values of what has no dead letter any more."""
    # The dead letter stays behind until a sweep: from now on it stands for nothing.
    return {
        "dead_letter": literal(value=False),
        "stale_letter_at": case((n.c.dead_letter, Now()), else_=n.c.stale_letter_at),
    }


def changes(transition: Transition, picked: FromClause) -> Update:
    """Return the statement that applies a transition to the records picked, where allowed."""
    return (
        update(n)
        .where(is_key(n.c.id, picked.c.id), allowed(transition))
        .values(effects(transition))
        .returning(*RETURNED)
    )


def locked(given: Subquery, *more: ColumnElement[Any]) -> CTE:
    """Return `given` with the records that it names locked, in one order for everybody.

    `more` is asked of each record once it is locked.
    """
    return (
        select(*given.c, *more)
        .join_from(given, n, is_key(n.c.id, given.c.id))
        .order_by(given.c.id)
        .with_for_update(of=n)
        .cte("picked")
    )


def taken(candidates: Select[Any]) -> CTE:
    """Return candidates that nobody else is at, locked.

    As a plain subquery PostgreSQL may run it once for each record, and exceed its limit.
    """
    return candidates.with_for_update(of=n, skip_locked=True).cte("picked")


def set_where(column: Column[Any], value: Any, *, when: ColumnElement[bool]) -> ColumnElement[Any]:
    """Return `value` where the condition holds, else the column unchanged."""
    return case((when, value), else_=column)
