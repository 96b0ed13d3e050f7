"""Firing schedules: what is due becomes notifications and broadcasts, once for each slot.

Any number may do so at once, and may be killed at any point: a run, what was made of it and when
its schedule comes next are recorded together, and by one of them only.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

import structlog

from notifier.broadcasts.announcing import Announcer
from notifier.broadcasts.broadcast import Broadcast
from notifier.duty import Duty
from notifier.errors import NotifierError
from notifier.intake.draft import Flaw
from notifier.intake.drafting import Drafter
from notifier.intake.ports import Submission
from notifier.schedules.clocks import Clocks
from notifier.schedules.due import Firing, Full, Line, Settled, Slot, Standing, Turn, standing
from notifier.schedules.planning import broadcast_wish, draft_of, led_to
from notifier.schedules.schedule import (
    Run,
    RunKind,
    RunOutcome,
    Schedule,
    StoredSchedule,
    ToTopic,
    ToUser,
)

log = structlog.get_logger(__name__)

_WAKE_EVERY_S = 3_600.0
_COMPARED_AT_ONCE = 1_000
_ROOM_AGAIN_S = 1.0
_ON_TIME_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringPace:
    """How schedules become notifications.

    Of a service, `most_waiting` wait for a queue that did not get there, so that tables and turns
    stay small. Whoever took turns has them for `hold_s`.
    """

    every_s: float = 60.0
    at_once: int = 100
    most_waiting: int = 20_000
    hold_s: float = 30.0

    @property
    def on_time_s(self) -> float:
        """How late a slot may be found without being one to catch up with."""
        return self.every_s + _ON_TIME_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Makes what is sent for runs."""

    drafter: Drafter
    announcer: Announcer

    async def made(
        self, service: str, asked: Sequence[tuple[Schedule, Run]]
    ) -> Sequence[Submission | Broadcast | list[Flaw]]:
        """Return what is to be sent for each run of the service's, or what is wrong with it.

        Its id is the run's. Raises StoreUnavailableError: what it names could not be looked up.
        """
        to_one = [(it, run) for it, run in asked if not isinstance(it.to, ToTopic)]
        drafts = [
            draft_of(it.to, it.template, it.variables, it.lane)
            for it, _ in to_one
            if not isinstance(it.to, ToTopic)
        ]
        drafted = iter(await self.drafter.submissions(drafts, service=service))
        found: list[Submission | Broadcast | list[Flaw]] = []
        for it, run in asked:
            to = it.to
            made = await self._broadcast(it, run, to) if isinstance(to, ToTopic) else next(drafted)
            found.append(
                list(map(led_to, made)) if isinstance(made, list) else replace(made, id=run.made_id)
            )
        return found

    async def _broadcast(self, schedule: Schedule, run: Run, to: ToTopic) -> Broadcast | list[Flaw]:
        asked = broadcast_wish(to, schedule.template, schedule.variables, schedule.lane)
        whom = replace(asked.whom, zone=run.zone)
        return await self.announcer.announced(replace(asked, whom=whom), service=schedule.service)


class Making(Protocol):
    """Makes what is sent for runs."""

    async def made(
        self, service: str, asked: Sequence[tuple[Schedule, Run]]
    ) -> Sequence[Submission | Broadcast | list[Flaw]]:
        """Return what is to be sent for each run, under its id, or what is wrong with it."""


class ScheduleDuties:
    """Fires what is due, and has a look at what goes by other clocks than it did."""

    def __init__(self, firing: Firing, maker: Making, clocks: Clocks, pace: FiringPace) -> None:
        self._firing = firing
        self._maker = maker
        self._clocks = clocks
        self._pace = pace
        self._place: UUID | None = None
        self._fire = Duty("schedules.fire", pace.every_s, self.fire)

    def all(self) -> Sequence[Duty]:
        """Return the duties, for a relay."""
        return (self._fire, Duty("schedules.reckon", _WAKE_EVERY_S, self.reckon))

    async def fire(self) -> bool:
        """Fire some of what is due, of every line in turn; whether more may be."""
        fired = [await self._fire_some(line) for line in await self._firing.lines()]
        if None in fired and not any(fired):
            # There is something due, and soon room for it.
            asyncio.get_running_loop().call_later(_ROOM_AGAIN_S, self._fire.nudge.set)
        return any(fired)

    async def reckon(self) -> bool:
        """Have some looked at whose recipients go by other clocks now; whether there are more."""
        woken = await self._firing.wake(self._place, limit=_COMPARED_AT_ONCE)
        if woken.count:
            self._fire.nudge.set()
        self._place = woken.place
        return woken.place is not None

    async def _fire_some(self, line: Line) -> int | None:
        """Return how many schedules of a line had a turn; None: there is no room for any."""
        pace = self._pace
        taken = await self._firing.take(
            line, limit=pace.at_once, hold_s=pace.hold_s, most_waiting=pace.most_waiting
        )
        if isinstance(taken, Full):
            return None
        try:
            await self._fire_all(line.service, taken.turns, taken.now)
        except NotifierError:
            raise
        except Exception:  # noqa: BLE001  one's defect must not keep the others
            for turn in taken.turns:
                await self._fire_alone(line.service, turn, taken.now)
        return len(taken.turns)

    async def _fire_alone(self, service: str, turn: Turn, now: datetime) -> None:
        try:
            await self._fire_all(service, [turn], now)
        except NotifierError:
            raise
        except Exception:  # it stays due, and is tried again
            log.exception("schedules.crashed", id=str(turn.schedule.id))

    async def _fire_all(self, service: str, turns: Sequence[Turn], now: datetime) -> None:
        zones = await self._zones(service, turns)
        stood = [
            standing(turn.schedule, each, now, on_time_s=self._pace.on_time_s)
            for turn, each in zip(turns, zones, strict=True)
        ]
        settled = await self._settled(service, turns, stood)
        _tell(await self._firing.record(settled, now=now))

    async def _zones(self, service: str, turns: Sequence[Turn]) -> Sequence[Collection[str]]:
        schedules = [turn.schedule for turn in turns]
        asked = {id for it in schedules if (id := _whose_clocks(it))}
        of_people = await self._clocks.of_people(service, asked)
        return [
            [of_people[id]]
            if (id := _whose_clocks(it))
            else await self._clocks.zones(it.timing, it.to, service)
            for it in schedules
        ]

    async def _settled(
        self, service: str, turns: Sequence[Turn], stood: Sequence[Standing]
    ) -> Sequence[Settled]:
        runs = [
            [_run(turn.schedule, slot) for slot in stand.slots]
            for turn, stand in zip(turns, stood, strict=True)
        ]
        asked = [
            (turn.schedule, run)
            for turn, each in zip(turns, runs, strict=True)
            for run in each
            if run.outcome is RunOutcome.FIRED
        ]
        found = await self._maker.made(service, asked)
        made = {run.made_id: it for (_, run), it in zip(asked, found, strict=True)}
        return [
            _settle(turn, stand, each, made)
            for turn, stand, each in zip(turns, stood, runs, strict=True)
        ]


def _whose_clocks(schedule: Schedule) -> str | None:
    to = schedule.to
    return to.user_id if schedule.is_by_recipient and isinstance(to, ToUser) else None


def _run(schedule: StoredSchedule, slot: Slot) -> Run:
    is_by_zone = schedule.is_by_recipient and isinstance(schedule.to, ToTopic)
    return Run(
        schedule_id=schedule.id,
        slot=slot.at,
        zone=slot.zone if is_by_zone else None,
        outcome=RunOutcome.SKIPPED if slot.why_not else RunOutcome.FIRED,
        reason=slot.why_not,
    )


def _settle(
    turn: Turn,
    stand: Standing,
    runs: Sequence[Run],
    made: Mapping[UUID, Submission | Broadcast | list[Flaw]],
) -> Settled:
    ours = [made.get(run.made_id) for run in runs]
    return Settled(
        turn=turn,
        runs=[fired(run, it) if it else run for run, it in zip(runs, ours, strict=True)],
        progress=stand.progress,
        submissions=[it for it in ours if isinstance(it, Submission)],
        broadcasts=[it for it in ours if isinstance(it, Broadcast)],
    )


def manual_run(schedule: Schedule, now: datetime) -> Run:
    """Return a run that somebody asks for now, to be made."""
    slot = now.replace(microsecond=now.microsecond // 1_000 * 1_000)
    outcome = RunOutcome.FIRED
    return Run(schedule_id=schedule.id, slot=slot, kind=RunKind.MANUAL, outcome=outcome)


def fired(run: Run, made: Submission | Broadcast | list[Flaw]) -> Run:
    """Return a run with what came of it."""
    match made:
        case Submission(id=id):
            return replace(run, notification_id=id)
        case Broadcast(id=id):
            return replace(run, broadcast_id=id)
        case flaws:
            return replace(run, outcome=RunOutcome.FAILED, reason=in_words(flaws))


def in_words(flaws: Sequence[Flaw]) -> str:
    """Say the first of them, and where it is."""
    flaw = flaws[0]
    place = ".".join(map(str, (flaw.field, *flaw.path)))
    return f"{place}: {flaw.words}"


def _tell(runs: Iterable[Run]) -> None:
    """Log what was not sent, and no more than how much was."""
    counted = Counter(run.outcome for run in runs)
    if counted:
        log.info("schedules.fired", **{each.value: counted[each] for each in RunOutcome})
