"""Between broadcasts and rows."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import (
    Float,
    Integer,
    Row,
    Text,
    Uuid,
    literal,
)

from notifier.broadcasts.broadcast import (
    Broadcast,
    Counts,
    State,
    StoredBroadcast,
    Whom,
)
from notifier.notification.model import Channel, Lane
from notifier.store.kit.sql import (
    JsonObject,
    Now,
    SecondsFromNow,
    UtcTime,
)


def values(broadcast: Broadcast) -> Mapping[str, Any]:
    """Return the columns of one that is accepted now."""
    send_at = literal(broadcast.send_at, UtcTime)
    begins = Now() if broadcast.send_at is None else send_at
    return {
        "id": literal(broadcast.id, Uuid),
        "service": literal(broadcast.service, Text),
        "channel": literal(broadcast.channel, Text),
        "lane": literal(broadcast.lane, Text),
        "template": literal(broadcast.template, Text),
        "template_version_id": literal(broadcast.version_id, Uuid),
        "topic": literal(broadcast.whom.topic, Text),
        "zone": literal(broadcast.whom.zone, Text),
        "attributes": literal(_json(dict(broadcast.whom.attributes)), JsonObject),
        "excluded": literal(_json(sorted(broadcast.whom.excluded)), Text),
        "variables": literal(_json(dict(broadcast.variables)), Text),
        "rate_per_s": literal(broadcast.rate_per_s, Integer),
        "send_at": send_at,
        "state": literal(State.SCHEDULED, Text),
        "place": literal("", Text),
        "counts": literal(counts_text(Counts()), Text),
        "look_at": begins,
        "paced_at": SecondsFromNow(literal(-1.0, Float)),
        "created_at": Now(),
    }


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def counts_text(counts: Counts) -> str:
    """Encode counts."""
    return _json(asdict(counts))


def to_counts(text: str) -> Counts:
    """Read counts."""
    return Counts(**json.loads(text))


def to_broadcast(row: Row[Any]) -> StoredBroadcast:
    """Read a broadcast."""
    return StoredBroadcast(
        id=row.id,
        service=row.service,
        channel=Channel(row.channel),
        lane=Lane(row.lane),
        template=row.template,
        version_id=row.template_version_id,
        whom=Whom(
            topic=row.topic,
            attributes=row.attributes,
            excluded=frozenset(json.loads(row.excluded)),
            zone=row.zone,
        ),
        variables=json.loads(row.variables),
        rate_per_s=row.rate_per_s,
        send_at=row.send_at,
        state=State(row.state),
        counts=to_counts(row.counts),
        fault=row.fault,
        cursor=row.place,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
