"""An inbox whose owner turned out to have another one."""

from sqlalchemy import BigInteger, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.store.inbox.arrivals import LOCK, MAKE
from notifier.store.inbox.naming import names_of
from notifier.store.inbox.tables import inbox_items, inboxes, items
from notifier.store.kit.sql import parameter

_service, _from, _to = (parameter(name) for name in ("of_service", "from_inbox", "to_inbox"))
_last_seq = parameter("last_seq", BigInteger)
_numbered = (
    select(items.seq, (_last_seq + func.row_number().over(order_by=items.seq)).label("new_seq"))
    .where(items.service == _service, items.recipient == _from)
    .subquery("numbered")
)
_MOVE = (
    update(inbox_items)
    .where(items.service == _service, items.recipient == _from, items.seq == _numbered.c.seq)
    .values(recipient=_to, seq=_numbered.c.new_seq)
)
_is_from = and_(inboxes.c.service == _service, inboxes.c.recipient == _from)
_is_to = and_(inboxes.c.service == _service, inboxes.c.recipient == _to)
_COUNTS = select(inboxes.c.unread, inboxes.c.unseen).where(_is_from)
# After both: nobody who follows either of them takes what is moved for what they have.
_LAST = select(
    func.max(inboxes.c.last_seq).label("seq"), func.max(inboxes.c.version).label("version")
).where(inboxes.c.service == _service, inboxes.c.recipient.in_((_from, _to)))
_EMPTY = update(inboxes).where(_is_from).values(unread=0, unseen=0, version=inboxes.c.version + 1)
_FILL = (
    update(inboxes)
    .where(_is_to)
    .values(
        last_seq=_last_seq + parameter("moved", BigInteger),
        unread=inboxes.c.unread + parameter("unread_ones", BigInteger),
        unseen=inboxes.c.unseen + parameter("unseen_ones", BigInteger),
        version=parameter("last_version", BigInteger) + 1,
    )
)


async def move_items(connection: AsyncConnection, service: str, source: str, target: str) -> None:
    """Put all that is in one inbox into another, behind what is there, as it was marked.

    Whoever has followed either goes on in the other from the seq and version that they know.
    """
    inbox = {"of_service": service, "from_inbox": source, "to_inbox": target}
    owners = {"rows": names_of([(service, source), (service, target)])}
    await connection.execute(MAKE, owners)
    await connection.execute(LOCK, owners)
    unread, unseen = (await connection.execute(_COUNTS, inbox)).one()
    last = (await connection.execute(_LAST, inbox)).one()
    moved = (await connection.execute(_MOVE, {**inbox, "last_seq": last.seq})).rowcount
    if last.seq:
        counts = {
            "moved": moved,
            "last_seq": last.seq,
            "last_version": last.version,
            "unread_ones": unread,
            "unseen_ones": unseen,
        }
        await connection.execute(_EMPTY, inbox)
        await connection.execute(_FILL, {**inbox, **counts})
