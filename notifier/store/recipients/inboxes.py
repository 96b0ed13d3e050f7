"""By which names an inbox is known: what somebody was called before a merge leads to theirs.

The id of whoever stays leads to the address that the other one brought for an inbox, unless there
is something under the id. An inbox that somebody has as their address is called by that, whoever
else had the name as an id.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import Text, and_, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.model import Channel
from notifier.store.inbox.naming import Name, names_of
from notifier.store.inbox.tables import items
from notifier.store.kit.sql import given_rows, is_key, literal_text
from notifier.store.recipients.tables import recipient_addresses, recipient_aliases

_given = given_rows(service=Text, recipient=Text)
_of, _others = recipient_addresses.alias("of"), recipient_addresses.alias("others")
_g, _l, _a, _o = _given.c, recipient_aliases.c, _of.c, _others.c
_in_app = literal_text(Channel.IN_APP)
_is_alias = and_(is_key(_l.service, _g.service), is_key(_l.alias, _g.recipient))
_is_inbox = and_(
    is_key(_a.service, _l.service),
    is_key(_a.user_id, _l.user_id),
    _a.channel == _in_app,
    _a.is_primary,
)
_is_address = (
    select(literal(1))
    .where(is_key(_o.service, _g.service), _o.channel == _in_app, is_key(_o.address, _g.recipient))
    .exists()
)
_of_alias = (
    select(_g.service, _g.recipient, func.coalesce(_a.address, _l.user_id).label("inbox"))
    .select_from(_given.join(recipient_aliases, _is_alias).outerjoin(_of, _is_inbox))
    .where(~_is_address)
)
_is_person = and_(
    is_key(_a.service, _g.service),
    is_key(_a.user_id, _g.recipient),
    _a.channel == _in_app,
    _a.is_primary,
)
_has_merged = (
    select(literal(1))
    .where(is_key(_l.service, _g.service), is_key(_l.user_id, _g.recipient))
    .correlate(_given)
    .exists()
)
_is_kept = (
    select(literal(1))
    .where(is_key(items.service, _g.service), is_key(items.recipient, _g.recipient))
    .exists()
)
_of_merged = (
    select(_g.service, _g.recipient, _a.address)
    .select_from(_given.join(_of, _is_person))
    .where(~_is_address, _has_merged, ~_is_kept)
)
_MEANT = union_all(_of_alias, _of_merged)


async def meant(connection: AsyncConnection, names: Collection[Name]) -> Mapping[Name, Name]:
    """Return the name by which each of these inboxes is kept."""
    led = await connection.execute(_MEANT, {"rows": names_of(names)})
    leads = {(row.service, row.recipient): (row.service, row.inbox) for row in led}
    return {name: leads.get(name, name) for name in names}
