"""The statements that accept notifications, each with the first event and the answer."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    CTE,
    Boolean,
    ColumnElement,
    CompoundSelect,
    Float,
    FromClause,
    Integer,
    Subquery,
    Text,
    Uuid,
    and_,
    case,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import Insert, insert  # its ON CONFLICT is SQLite's too

from notifier.notification.feed import ACCEPT
from notifier.notification.model import Status
from notifier.notification.outcomes import SUPPRESSED
from notifier.notification.transitions import DEFER, SUPPRESS
from notifier.store.kit import idempotency as keys
from notifier.store.kit.sql import (
    ID,
    JsonObject,
    Now,
    SecondsFromNow,
    SqlType,
    UtcTime,
    given_rows,
    literal_text,
    parameter,
)
from notifier.store.kit.statements import Single
from notifier.store.notification import timeline
from notifier.store.notification.changes import ERASED, RETURNED
from notifier.store.notification.suppressing import is_suppressed
from notifier.store.notification.tables import notifications as n
from notifier.store.notification.timeline import Noted

_GIVEN: Mapping[str, SqlType] = {
    "id": ID,
    "service": Text,
    "channel": Text,
    "lane": Text,
    "recipient": Text,
    "recipient_as_written": Text,
    "pseudonym": Text,
    "subject": Text,
    "content": Text,
    "html": Text,
    "variables": Text,
    "metadata": JsonObject,
    "sensitive": Boolean,
    "on_unknown": Text,
    "traceparent": Text,
    "template_version_id": Uuid,
    "locale": Text,
    "mail": Text,
    "action_url": Text,
    "is_finished": Boolean,
    "segments": Integer,
    "encoding": Text,
    "user_id": Text,
    "category": Text,
    "is_required": Boolean,
    "is_address_given": Boolean,
    "broadcast_id": Uuid,
    "rule": Text,
    "key": Text,
    "depends_on": Uuid,
    "skip_if": Text,
    "skip_on": Text,
    "fault_kind": Text,
    "fault_code": Text,
    "fault_message": Text,
    "sealed": Text,
    "forwarded_from": Uuid,
    "send_at": UtcTime,
    "expires_at": UtcTime,
}


def _inserting(given: Subquery, *conditions: ColumnElement[bool]) -> Insert:
    looked_at = select(*given.c, _is_refused(given).label("is_refused")).where(*conditions)
    # Written out where it is used, it would look at the list for each column that asks.
    looked = looked_at.cte("looked").prefix_with("MATERIALIZED")
    values = {**_copied(looked), **_added(looked)}
    # SQLite needs the WHERE to tell ON CONFLICT from a join's ON.
    return insert(n).from_select([*values], select(*values.values()).where(true()))


def _copied(given: CTE) -> dict[str, Any]:
    is_erased = and_(given.c.sensitive, given.c.is_refused)
    erasable = {column.name for column in ERASED}
    return {
        name: case((is_erased, null()), else_=given.c[name]) if name in erasable else given.c[name]
        for name in _GIVEN
        if name not in ("send_at", "pseudonym")
    }


def _is_refused(given: Subquery) -> ColumnElement[bool]:
    """Whether it is not to be sent: for a reason that it came with, or by the list."""
    is_unwanted = given.c.fault_kind == literal_text(SUPPRESSED)
    is_erased = is_suppressed({**dict(given.c.items()), "recipient": given.c.pseudonym})
    unwanted = func.coalesce(is_unwanted, literal(value=False))
    return or_(unwanted, is_suppressed(given.c), is_erased)


def _added(given: CTE) -> dict[str, Any]:
    is_out = given.c.is_refused
    is_due = given.c.send_at.is_(None)
    # The caller publishes what is due now; a relay takes it up only if that does not happen.
    grace_ends = SecondsFromNow(parameter("grace_s", Float))
    return {
        "status": case((is_out, literal_text(SUPPRESS.target)), else_=literal_text(Status.PENDING)),
        "attempt": literal(0),
        "attempts_spent": literal(0),
        "due_at": case((is_due, Now()), else_=given.c.send_at),
        "relay_at": case((is_due, grace_ends), else_=given.c.send_at),
        "created_at": Now(),
        "updated_at": Now(),
        "finished_at": case((is_out, Now()), else_=null()),
        "outcome_unknown": literal(value=False),
        "dead_letter": literal(value=False),
    }


_second = literal_column("1", Integer)


def _is_out(inserted: FromClause) -> ColumnElement[bool]:
    return inserted.c.status == literal_text(SUPPRESS.target)


def _accepted(inserted: FromClause) -> CompoundSelect[Any]:
    # SQLite finds only in the table what it was given.
    details = inserted if "fault_kind" in inserted.c else n
    event = case((_is_out(inserted), literal_text(SUPPRESS.name)), else_=literal_text(DEFER.name))
    withheld = timeline.entries(inserted, event, details=details, nth=_second)
    return union_all(
        timeline.entries(inserted, literal_text(ACCEPT)),
        withheld.where(or_(_is_out(inserted), details.c.fault_kind.is_not(None))),
    )


_WHY = (n.c.fault_kind, n.c.fault_code, n.c.fault_message)
INSERT = Noted(
    _inserting(given_rows(**_GIVEN)).returning(*RETURNED), _accepted, telling=_is_out, told=_WHY
)

# The same, but for those that are there.
INSERT_MISSING = Noted(
    _inserting(given_rows(**_GIVEN))
    .on_conflict_do_nothing(index_elements=[n.c.id])
    .returning(*RETURNED),
    _accepted,
    told=_WHY,
)

# The same, of requests that may have a key: only those whose keys are new.
_requested = given_rows(**_GIVEN, request=ID)
_is_new = or_(
    _requested.c.request.is_(None), _requested.c.request.not_in(select(keys.REPEATED.c.request))
)
_inserted = _inserting(_requested, _is_new).returning(*RETURNED, *_WHY).cte("inserted")
INSERT_NEW = Single(
    union_all(
        select(_inserted.c.id, literal_column("false", Boolean).label("is_repeated")).where(
            _is_out(_inserted)
        ),
        select(keys.REPEATED.c.request, literal_column("true", Boolean)),
    ).add_cte(timeline.adding(_accepted(_inserted)).cte("noted"))
)
