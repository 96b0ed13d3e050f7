"""What messages name and the database does not know: it lost that, or never had it."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import Integer, func, literal, select
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.envelope import Envelope
from notifier.store.kit.rows import joined
from notifier.store.kit.sql import ID, Now, given_rows, literal_text
from notifier.store.notification.rows import envelope_row
from notifier.store.notification.tables import ROWS, purge_places
from notifier.store.notification.tables import notifications as n
from notifier.store.notification.tables import unknown_messages as unknown

_named = given_rows(id=ID, attempt=Integer)
# As a join PostgreSQL may go through the whole table for it.
_known = select(n.c.id).where(n.c.id == _named.c.id).scalar_subquery()
# Whatever is as old as something that retention removed may have been removed.
_farthest = (
    select(purge_places.c.farthest)
    .where(purge_places.c.what == literal_text(ROWS))
    .order_by(purge_places.c.farthest.desc())
    .limit(1)
    .scalar_subquery()
)
_is_young = _named.c.id > func.coalesce(_farthest, literal(UUID(int=0), ID))
_NOTE = insert(unknown).from_select(
    ["id", "found_at"], select(_named.c.id, Now()).distinct().where(_known.is_(None), _is_young)
)
# The update changes nothing: it has those returned that were noted before.
_NOTE_AND_TELL = _NOTE.on_conflict_do_update(
    index_elements=[unknown.c.id], set_={"found_at": unknown.c.found_at}
).returning(unknown.c.id)


async def note(connection: AsyncConnection, envelopes: Sequence[Envelope]) -> Collection[UUID]:
    """Keep the ids of those envelopes that no notification stands for; returns these ids."""
    rows = joined(map(envelope_row, envelopes))
    return set(await connection.scalars(_NOTE_AND_TELL, {"rows": rows}))
