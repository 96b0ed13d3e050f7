"""A schedule: a template to somebody, or to many, again and again."""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from heapq import merge
from typing import Protocol, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from notifier.idempotency import Applied, Idempotency, KeyReused, LostRace, NotFound, Remembered
from notifier.notification.model import Channel, JsonValue, Lane
from notifier.schedules.slot import RECIPIENT, Cron, Daily, Weekly, When, next_slot
from notifier.wall_time import instant

MAX_NAME_CHARS = 200
MAX_SKIP_DATES = 366
MAX_CATCH_UP_S = 86_400
USUAL_CATCH_UP_S = 3_600
_HASH_BYTES = 10
_LOW_BITS = 62
_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)


class CatchUp(StrEnum):
    """What becomes of slots that nobody was there for."""

    NONE = "none"
    LAST = "last"
    """The last of them fires."""
    ALL = "all"
    """Each fires, the last hundred at most."""


class RunKind(StrEnum):
    """What made it run."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"


class RunOutcome(StrEnum):
    """What became of a slot."""

    FIRED = "fired"
    SKIPPED = "skipped"
    """Its time was over when somebody looked."""
    FAILED = "failed"
    """Nothing could be made of it."""


@dataclass(frozen=True, slots=True)
class ToUser:
    """To somebody in the directory of its service."""

    user_id: str
    channel: Channel


@dataclass(frozen=True, slots=True)
class ToRecipient:
    """To an address, in its channel's normal form."""

    recipient: str
    channel: Channel


@dataclass(frozen=True, slots=True)
class ToTopic:
    """To the members of a topic: a broadcast each time."""

    topic: str
    channel: Channel


To: TypeAlias = ToUser | ToRecipient | ToTopic


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When it is due."""

    when: When
    zone: str
    """A name of the IANA's database, or RECIPIENT."""
    starts_at: datetime | None = None
    """Not before; a slot of this instant is one."""
    ends_at: datetime | None = None
    """Not at this instant, and not after it."""
    skip_dates: frozenset[date] = frozenset()
    """Days on the wall that have no slot."""

    def next_slot(self, after: datetime, zone: tzinfo) -> datetime | None:
        """Return the first slot behind `after`, in UTC, by clocks of `zone`; None: no more."""
        is_to_start = self.starts_at is not None and self.starts_at > after
        behind = self.starts_at - _INSTANT if self.starts_at and is_to_start else after
        while slot := next_slot(self.when, zone, behind):
            if self.ends_at and slot >= self.ends_at:
                return None
            day = slot.astimezone(zone).date()
            if day not in self.skip_dates:
                return slot
            behind = max(slot, instant(datetime.combine(day + _DAY, time()), zone) - _INSTANT)
        return None

    def slots(self, after: datetime, zone: str) -> Iterator[datetime]:
        """Return all slots behind `after`, in order, by clocks of a zone of this name."""
        clocks = ZoneInfo(zone)
        while slot := self.next_slot(after, clocks):
            yield slot
            after = slot

    def slots_of(self, after: datetime, zones: Iterable[str]) -> Iterator[tuple[datetime, str]]:
        """Return the slots of several zones behind `after`, in order, each with its zone."""
        return merge(*(self._named_slots(after, zone) for zone in zones))

    def first_of(self, after: datetime, zones: Iterable[str]) -> datetime | None:
        """Return the first slot of several zones behind `after`; None: no more."""
        found = (self.next_slot(after, ZoneInfo(zone)) for zone in zones)
        return min((each for each in found if each), default=None)

    def _named_slots(self, after: datetime, zone: str) -> Iterator[tuple[datetime, str]]:
        return ((slot, zone) for slot in self.slots(after, zone))

    def document(self) -> Mapping[str, JsonValue]:
        """Return it as what JSON can say."""
        return {
            "when": when_document(self.when),
            "zone": self.zone,
            "starts_at": self.starts_at.isoformat() if self.starts_at else None,
            "ends_at": self.ends_at.isoformat() if self.ends_at else None,
            "skip_dates": [each.isoformat() for each in sorted(self.skip_dates)],
        }


def when_document(when: When) -> dict[str, JsonValue]:
    """Return it as what JSON can say, and clients do."""
    match when:
        case Cron(text):
            return {"cron": text}
        case Daily(at):
            return {"every": "day", "at": f"{at:%H:%M}"}
        case Weekly(on, at):
            return {"every": "week", "on": list(in_week_order(on)), "at": f"{at:%H:%M}"}


def in_week_order(days: Collection[str]) -> Sequence[str]:
    """Return names of days, Monday first."""
    return [each for each in ("mon", "tue", "wed", "thu", "fri", "sat", "sun") if each in days]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far it is: what was due up to `seen_at` is over, and `next_at` comes next."""

    seen_at: datetime
    next_at: datetime | None
    """None: no more."""
    clocks: str | None = None
    """The zone by which `next_at` was found, if that is somebody's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A template to somebody, or to many, again and again."""

    id: UUID
    """A UUIDv7."""
    service: str
    name: str
    """One of its service's; no other has it."""
    timing: Timing
    to: To
    template: str
    """What is published of it at the time is sent."""
    variables: Mapping[str, JsonValue] = field(default_factory=dict)
    lane: Lane = Lane.BULK
    catch_up: CatchUp = CatchUp.LAST
    catch_up_within_s: int = USUAL_CATCH_UP_S
    progress: Progress

    @property
    def is_by_recipient(self) -> bool:
        """Whether it goes by the clocks of whom it is for."""
        return self.timing.zone == RECIPIENT

    @property
    def etag(self) -> str:
        """What tells its states apart: all that its service said of it."""
        told = [
            self.name,
            self.timing.document(),
            to_document(self.to),
            self.template,
            dict(self.variables),
            self.lane,
            self.catch_up,
            self.catch_up_within_s,
        ]
        text = json.dumps(told, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def to_document(to: To) -> dict[str, JsonValue]:
    """Return it as what JSON can say, and clients do."""
    match to:
        case ToUser(user_id, channel):
            return {"user_id": user_id, "type": channel.value}
        case ToRecipient(recipient, channel):
            return {"recipient": recipient, "type": channel.value}
        case ToTopic(topic, channel):
            return {"topic": topic, "type": channel.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSchedule(Schedule):
    """A schedule as it stands."""

    paused_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What became of a slot: there is one at most."""

    schedule_id: UUID
    slot: datetime
    zone: str | None = None
    """Of those members of a topic whom it was for, if it was not for all."""
    kind: RunKind = RunKind.SCHEDULED
    outcome: RunOutcome
    notification_id: UUID | None = None
    broadcast_id: UUID | None = None
    reason: str | None = None
    """Why nothing was sent; repeats no value."""

    @property
    def made_id(self) -> UUID:
        """The id of what is made of it: always the same, as a UUIDv7 of the slot's time."""
        named = f"{self.slot.timestamp()}\0{self.zone or ''}\0{self.kind}".encode()
        key = self.schedule_id.bytes
        digest = hashlib.blake2b(named, key=key, digest_size=_HASH_BYTES).digest()
        bits = int.from_bytes(digest, "big")
        high, low = bits >> _LOW_BITS & 0xFFF, bits & (1 << _LOW_BITS) - 1
        slot_ms = round(self.slot.timestamp() * 1_000)
        return UUID(int=slot_ms << 80 | 0x7 << 76 | high << 64 | 0x2 << _LOW_BITS | low)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun(Run):
    """A run, and when it was recorded."""

    at: datetime


@dataclass(frozen=True, slots=True)
class NameTaken:
    """Another schedule of its service has this name; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many runs came out one way, and how late they were, together."""

    runs: int
    late_s: float


class ScheduleStore(Protocol):
    """Schedules, as their services see them."""

    async def add(
        self, schedule: Schedule, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused | NameTaken:
        """Store it; it is due from its `next_at` on."""

    async def get(self, id: UUID, *, service: str | None) -> StoredSchedule | NotFound:
        """Return one of the service's, or of any."""

    async def list(
        self, *, service: str | None, limit: int, after: UUID | None
    ) -> Sequence[StoredSchedule]:
        """The newest first; `after` is the last one seen."""

    async def change(
        self, schedule: Schedule, *, etag: str | None
    ) -> StoredSchedule | NotFound | NameTaken | LostRace:
        """Put it in the place of the one of its id, if that has this etag."""

    async def pause(self, id: UUID, *, service: str | None) -> StoredSchedule | NotFound:
        """Let it be due no more; what is paused already stays as it is."""

    async def resume(
        self, schedule: StoredSchedule, progress: Progress
    ) -> StoredSchedule | NotFound:
        """Let it be due again, from there; one that is not paused stays as it is."""

    async def remove(self, id: UUID, *, service: str | None) -> NotFound | None:
        """Remove it with its runs; what was sent stays."""

    async def runs(
        self, id: UUID, *, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[StoredRun]:
        """Return its runs, the last slot first; `after` is slot and zone of the last one seen."""

    async def tallies(self) -> Mapping[RunOutcome, Tally]:
        """Return how many runs of all services there were, by their outcome."""
