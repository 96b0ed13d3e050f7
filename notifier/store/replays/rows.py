"""Between replays and rows."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Float, Integer, Row, Text, Uuid, literal

from notifier.notification.model import Channel, Status
from notifier.notification.reading import NotificationFilter
from notifier.replays.replay import Counts, Replay, Selection, Skip, State, StoredReplay
from notifier.store.kit.sql import Now, SecondsFromNow, time_text

_TEXTS = ("provider", "error_code", "template", "category", "rule")


def values(replay: Replay) -> Mapping[str, Any]:
    """Return the columns of one that begins now."""
    return {
        "id": literal(replay.id, Uuid),
        "service": literal(replay.selection.service, Text),
        "selection": literal(_selection_text(replay.selection), Text),
        "rate_per_s": literal(replay.rate_per_s, Integer),
        "begun_by": literal(replay.begun_by, Text),
        "expected": literal(replay.expected, Integer),
        "state": literal(State.RUNNING, Text),
        "place": literal(UUID(int=0), Uuid),
        "counts": literal(counts_text(Counts()), Text),
        "look_at": Now(),
        "paced_at": SecondsFromNow(literal(-1.0, Float)),
        "created_at": Now(),
    }


def counts_text(counts: Counts) -> str:
    """Encode counts."""
    return _json(asdict(counts))


def to_counts(text: str) -> Counts:
    """Read counts."""
    read = json.loads(text)
    skipped = {Skip(name): count for name, count in read.pop("skipped").items()}
    return Counts(skipped=skipped, **read)


def to_replay(row: Row[Any], by_status: Mapping[Status, int] | None = None) -> StoredReplay:
    """Read a replay."""
    return StoredReplay(
        id=row.id,
        selection=to_selection(row),
        rate_per_s=row.rate_per_s,
        begun_by=row.begun_by,
        expected=row.expected,
        state=State(row.state),
        counts=to_counts(row.counts),
        by_status=by_status or {},
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def _selection_text(selection: Selection) -> str:
    filter = selection.filter
    wanted: dict[str, Any] = {name: getattr(filter, name) for name in _TEXTS}
    wanted |= {
        "channels": sorted(filter.channels),
        "broadcast_id": filter.broadcast_id.hex if filter.broadcast_id else None,
        "created_from": _time_text(filter.created_from),
        "created_before": _time_text(filter.created_before),
        "ids": sorted(id.hex for id in selection.ids),
        "with_discarded": selection.with_discarded,
    }
    return _json({name: value for name, value in wanted.items() if value})


def to_selection(row: Row[Any]) -> Selection:
    """Read what a replay selects."""
    read = json.loads(row.selection)
    broadcast_id = read.get("broadcast_id")
    return Selection(
        service=row.service,
        filter=NotificationFilter(
            channels=frozenset(map(Channel, read.get("channels", ()))),
            broadcast_id=UUID(broadcast_id) if broadcast_id else None,
            created_from=_to_time(read.get("created_from")),
            created_before=_to_time(read.get("created_before")),
            **{name: read.get(name) for name in _TEXTS},
        ),
        ids=frozenset(map(UUID, read.get("ids", ()))),
        with_discarded=read.get("with_discarded", False),
    )


def _time_text(time: datetime | None) -> str | None:
    return time_text(time) if time else None


def _to_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
