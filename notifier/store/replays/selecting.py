"""Looking for dead letters: among so many failed notifications at a time, and no more."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, select

from notifier.notification.model import Status
from notifier.replays.replay import Selection, Skip
from notifier.store.kit.sql import Now, literal_text
from notifier.store.notification.changes import is_kept, stands_at
from notifier.store.notification.matching import Span, matching, of_service
from notifier.store.notification.searching import failed_line
from notifier.store.notification.suppressing import is_suppressed
from notifier.store.notification.tables import notifications as n

_SEEN = (
    n.c.id,
    n.c.service,
    n.c.channel,
    n.c.lane,
    n.c.recipient,
    n.c.user_id,
    n.c.category,
    n.c.is_required,
    n.c.provider,
    n.c.fault_code,
    n.c.template_version_id,
    n.c.broadcast_id,
    n.c.rule,
    n.c.metadata,
    n.c.created_at,
    n.c.expires_at,
    n.c.finished_at,
    n.c.discarded_at,
    is_kept().label("is_kept"),
)


def looked_at(selection: Selection, span: Span, most: int, *, newest: bool) -> Subquery:
    """Return the first failed ones of a span, those of a selection among them."""
    return _failed(selection, span, newest=newest).limit(most).subquery("looked_at")


def _failed(selection: Selection, span: Span, *, newest: bool) -> Select[Any]:
    if not selection.ids:
        line = failed_line(selection.service)
        return line.newest(span, *_SEEN) if newest else line.oldest(span, *_SEEN)
    query = select(*_SEEN).where(
        n.c.id.in_(sorted(selection.ids)),
        stands_at(Status.FAILED),
        *of_service(selection.service),
        n.c.id >= span.first,
        n.c.id < span.end,
    )
    return query.order_by(n.c.id.desc() if newest else n.c.id)


def is_selected(selection: Selection, seen: Subquery) -> ColumnElement[bool]:
    """Whether one of these is what a selection is for."""
    discarded = () if selection.with_discarded else (seen.c.discarded_at.is_(None),)
    conditions = (*matching(selection.filter, seen), *discarded)
    return and_(*conditions) if conditions else seen.c.id.is_not(None)


def why_not(seen: Subquery) -> ColumnElement[str | None]:
    """Why one of these would not be tried again now; NULL: it would be."""
    return case(
        (~seen.c.is_kept, literal_text(Skip.ERASED)),
        (seen.c.expires_at <= Now(), literal_text(Skip.EXPIRED)),
        (is_suppressed(seen.c), literal_text(Skip.SUPPRESSED)),
    )


def after(place: UUID) -> Span:
    """Return the ids behind this one."""
    return Span(first=UUID(int=place.int + 1))
