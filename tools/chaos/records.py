"""The database's side of the account, asked past all links."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from notifier.notification.model import Channel, Status

_COUNTS = "SELECT status, count(*) FROM notifications GROUP BY status"
_RECORDS = """
    SELECT id, channel, status, attempts_spent, outcome_unknown, fault_kind, fault_code,
        extract(epoch FROM created_at)::float8 AS created_at,
        extract(epoch FROM expires_at)::float8 AS expires_at,
        extract(epoch FROM finished_at)::float8 AS finished_at
    FROM notifications
"""
_INBOX = """
    SELECT notification_id AS id, extract(epoch FROM created_at)::float8 AS at FROM inbox_items
"""
_TIMELINES = """
    SELECT notification_id AS id, extract(epoch FROM at)::float8 AS at, event, attempt, provider,
        fault_kind, fault_code
    FROM notification_events WHERE notification_id = ANY($1) ORDER BY notification_events.id
"""
_STANDING = """
    SELECT id, status, attempt, attempts_spent, leased_by,
        round(extract(epoch FROM created_at - now())::numeric, 1) AS created_s,
        round(extract(epoch FROM due_at - now())::numeric, 1) AS due_s,
        round(extract(epoch FROM relay_at - now())::numeric, 1) AS relay_s,
        round(extract(epoch FROM published_at - now())::numeric, 1) AS published_s,
        round(extract(epoch FROM lease_until - now())::numeric, 1) AS lease_s
    FROM notifications WHERE id = ANY($1)
"""
_EVENTS = "SELECT count(*) FROM notification_events WHERE event = $1"
_UNKNOWN = "SELECT count(*) FROM unknown_messages"
_FAILED = "SELECT channel, count(*) FROM notifications WHERE status = 'failed' GROUP BY channel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A notification as the database has it; times in seconds since the epoch."""

    id: str
    channel: Channel
    status: Status
    attempts_spent: int
    outcome_unknown: bool
    fault_kind: str | None
    fault_code: str | None
    created_at: float
    expires_at: float | None
    finished_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A row of a timeline."""

    at: float
    event: str
    attempt: int
    provider: str | None = None
    fault_kind: str | None = None
    fault_code: str | None = None


class Records:
    """Questions to the database; each raises OSError or asyncpg's errors while it is away."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def by_status(self) -> dict[Status, int]:
        """How many notifications are in each state."""
        rows = await self._fetch(_COUNTS)
        return {Status(row[0]): row[1] for row in rows}

    async def all(self) -> list[Record]:
        """Every record."""
        rows = await self._fetch(_RECORDS)
        return [_record(row) for row in rows]

    async def inbox(self) -> dict[str, float]:
        """When each in-app notification came into its inbox."""
        return {str(row["id"]): row["at"] for row in await self._fetch(_INBOX)}

    async def timelines(self, ids: Collection[str]) -> dict[str, list[Event]]:
        """The timelines of these, each oldest first."""
        found: dict[str, list[Event]] = {id: [] for id in ids}
        for row in await self._fetch(_TIMELINES, [UUID(id) for id in ids]):
            fields = dict(row)
            found[str(fields.pop("id"))].append(Event(**fields))
        return found

    async def stories(self, ids: Collection[str]) -> list[str]:
        """How each of these stands, times in seconds from now, and how it came to that."""
        rows = await self._fetch(_STANDING, [UUID(id) for id in ids])
        timelines = await self.timelines(ids)
        return [_story(row, timelines[str(row["id"])]) for row in rows]

    async def count_events(self, event: str) -> int:
        """How often this happened to anything."""
        return int((await self._fetch(_EVENTS, event))[0][0])

    async def unknown_messages(self) -> int:
        """How many ids messages named that the database does not have."""
        return int((await self._fetch(_UNKNOWN))[0][0])

    async def failed(self) -> dict[str, int]:
        """How many failed records each channel has."""
        found = {row[0]: row[1] for row in await self._fetch(_FAILED)}
        return {channel.value: found.get(channel, 0) for channel in Channel}

    async def _fetch(self, query: str, *arguments: object) -> Sequence[asyncpg.Record]:
        connection = await asyncpg.connect(
            self._dsn, timeout=10, target_session_attrs=SessionAttribute.read_write
        )
        try:
            return list(await connection.fetch(query, *arguments))
        finally:
            await connection.close()


def final_count(by_status: dict[Status, int]) -> int:
    """How many have reached a final state."""
    return sum(count for status, count in by_status.items() if status.is_final)


def _record(row: asyncpg.Record) -> Record:
    fields = dict(row)
    return Record(
        id=str(fields.pop("id")),
        channel=Channel(fields.pop("channel")),
        status=Status(fields.pop("status")),
        **fields,
    )


def _story(row: asyncpg.Record, events: Sequence[Event]) -> str:
    standing = " ".join(f"{name}={value}" for name, value in row.items() if value is not None)
    began_at = events[0].at if events else 0
    life = ", ".join(f"{each.event} {each.at - began_at:+.1f}" for each in events)
    return f"{standing}: {life}"
