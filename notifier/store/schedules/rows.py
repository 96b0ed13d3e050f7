"""Between schedules and rows."""

import json
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Row

from notifier.notification.model import Channel, Lane
from notifier.schedules.schedule import (
    CatchUp,
    Progress,
    Run,
    RunKind,
    RunOutcome,
    Schedule,
    StoredRun,
    StoredSchedule,
    Timing,
    To,
    ToRecipient,
    ToTopic,
    ToUser,
)
from notifier.schedules.slot import Cron, Daily, Weekly, When
from notifier.store.kit.rows import RowJson, encode
from notifier.store.kit.sql import time_text


def values(schedule: Schedule) -> Mapping[str, Any]:
    """Return the columns of what its service said."""
    to = schedule.to
    return {
        "name": schedule.name,
        "timing": _json(schedule.timing.document()),
        "is_by_recipient": schedule.is_by_recipient,
        "user_id": to.user_id if isinstance(to, ToUser) else None,
        "recipient": to.recipient if isinstance(to, ToRecipient) else None,
        "topic": to.topic if isinstance(to, ToTopic) else None,
        "channel": to.channel.value,
        "lane": schedule.lane.value,
        "template": schedule.template,
        "variables": _json(dict(schedule.variables)),
        "catch_up": schedule.catch_up.value,
        "catch_up_within_s": schedule.catch_up_within_s,
        "etag": schedule.etag,
    }


def progress_values(progress: Progress) -> Mapping[str, Any]:
    """Return the columns of how far it is."""
    return {
        "seen_at": _cut(progress.seen_at),
        "next_at": _cut(progress.next_at) if progress.next_at else None,
        "clocks": progress.clocks,
    }


def _cut(at: datetime) -> datetime:
    # As both databases have it.
    return at.replace(microsecond=at.microsecond // 1_000 * 1_000)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def to_schedule(row: Row[Any]) -> StoredSchedule:
    """Read a schedule."""
    return StoredSchedule(
        id=row.id,
        service=row.service,
        name=row.name,
        timing=_to_timing(json.loads(row.timing)),
        to=_to_whom(row),
        template=row.template,
        variables=json.loads(row.variables),
        lane=Lane(row.lane),
        catch_up=CatchUp(row.catch_up),
        catch_up_within_s=row.catch_up_within_s,
        progress=Progress(seen_at=row.seen_at, next_at=row.next_at, clocks=row.clocks),
        paused_at=row.paused_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _to_whom(row: Row[Any]) -> To:
    channel = Channel(row.channel)
    if row.user_id is not None:
        return ToUser(row.user_id, channel)
    return ToTopic(row.topic, channel) if row.topic else ToRecipient(row.recipient, channel)


def _to_timing(said: Mapping[str, Any]) -> Timing:
    return Timing(
        when=_to_when(said["when"]),
        zone=said["zone"],
        starts_at=_to_time(said["starts_at"]),
        ends_at=_to_time(said["ends_at"]),
        skip_dates=frozenset(map(date.fromisoformat, said["skip_dates"])),
    )


def _to_when(said: Mapping[str, Any]) -> When:
    if "cron" in said:
        return Cron(said["cron"])
    at = time.fromisoformat(said["at"])
    return Weekly(frozenset(said["on"]), at) if "on" in said else Daily(at)


def _to_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def run_row(run: Run) -> RowJson:
    """Encode a run."""
    return encode(
        {
            "schedule_id": run.schedule_id.hex,
            "slot": time_text(run.slot),
            "zone": run.zone or "",
            "kind": run.kind.value,
            "outcome": run.outcome.value,
            "notification_id": run.notification_id.hex if run.notification_id else None,
            "broadcast_id": run.broadcast_id.hex if run.broadcast_id else None,
            "reason": run.reason,
        }
    )


def to_run(row: Row[Any]) -> StoredRun:
    """Read a run."""
    return StoredRun(
        schedule_id=row.schedule_id,
        slot=row.slot,
        zone=row.zone or None,
        kind=RunKind(row.kind),
        outcome=RunOutcome(row.outcome),
        notification_id=row.notification_id,
        broadcast_id=row.broadcast_id,
        reason=row.reason,
        at=row.at,
    )


def progress_row(schedule: Schedule, turn: int, progress: Progress) -> RowJson:
    """Encode how far a schedule is, for whoever has this turn."""
    next_at = progress.next_at
    return encode(
        {
            "id": schedule.id.hex,
            "turn": turn,
            "seen_at": time_text(progress.seen_at),
            "next_at": time_text(next_at) if next_at else None,
            "clocks": progress.clocks,
        }
    )
