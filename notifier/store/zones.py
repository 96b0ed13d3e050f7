"""The members of topics by the time zones of the directory."""

import json
from collections.abc import Collection, Sequence

from sqlalchemy import Integer, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.topic import Member
from notifier.store.kit.database import Database
from notifier.store.kit.sql import parameter
from notifier.store.recipients.tables import recipients
from notifier.store.topics import topic_members

_m = topic_members.c
_is_member = and_(_m.service == parameter("of_service"), _m.topic == parameter("of_key"))
_is_known = and_(recipients.c.service == _m.service, recipients.c.user_id == _m.user_id)
_zone = func.coalesce(recipients.c.time_zone, parameter("nobodys"))
_ZONES = select(_zone).distinct().outerjoin_from(topic_members, recipients, _is_known)
_OF = _ZONES.where(_is_member)
_MEMBERS = (
    select(_m.user_id, _m.properties)
    .outerjoin_from(topic_members, recipients, _is_known)
    .where(_is_member, _m.user_id > parameter("after"), _zone == parameter("of_zone"))
    .order_by(_m.service, _m.topic, _m.user_id)
    .limit(parameter("limit", Integer))
)


class SqlTopicZones:
    """`TopicZones` over SQL."""

    def __init__(self, database: Database, nobodys: str) -> None:
        """`nobodys` is the zone of whom none is known of."""
        self._database = database
        self._nobodys = nobodys

    async def of(self, service: str, key: str) -> Collection[str]:
        asked = {"of_service": service, "of_key": key, "nobodys": self._nobodys}

        async def work(connection: AsyncConnection) -> Collection[str]:
            return set(await connection.scalars(_OF, asked))

        return await self._database.search(work)

    async def members(
        self, service: str, key: str, zone: str, *, limit: int, after: str
    ) -> Sequence[Member]:
        asked = {
            "of_service": service,
            "of_key": key,
            "of_zone": zone,
            "nobodys": self._nobodys,
            "limit": limit,
            "after": after,
        }

        async def work(connection: AsyncConnection) -> Sequence[Member]:
            rows = await connection.execute(_MEMBERS, asked)
            return [Member(user_id, json.loads(own) if own else None) for user_id, own in rows]

        return await self._database.follow(work)
