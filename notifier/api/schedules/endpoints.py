"""The endpoints for schedules: a template to somebody, or to many, again and again."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from notifier.api.kit.answers import Answer, location, ok
from notifier.api.kit.body import pointer
from notifier.api.kit.calls import Call
from notifier.api.kit.checking import read_strictly
from notifier.api.kit.operations import Operation
from notifier.api.kit.patching import patched
from notifier.api.kit.preconditions import quoted, require_meant
from notifier.api.kit.problems import BUSY, InvalidField, ProblemError, invalid, there
from notifier.api.schedules.operations import PREFIX, Declared, declared
from notifier.api.schedules.shapes import (
    RunsQuery,
    ScheduleQuery,
    ScheduleRequest,
    SchedulesQuery,
    UpcomingQuery,
)
from notifier.api.schedules.views import (
    AddedScheduleView,
    MadeView,
    RunsView,
    RunView,
    SchedulesView,
    ScheduleView,
    UpcomingView,
    document_of,
    place_of,
)
from notifier.idempotency import LostRace, NotFound
from notifier.intake.draft import Flaw
from notifier.notification.model import JsonValue
from notifier.schedules.due import Firing
from notifier.schedules.firing import Maker, fired, manual_run
from notifier.schedules.planning import Planner, Wish
from notifier.schedules.schedule import NameTaken, ScheduleStore, StoredSchedule

_MOST_TRIES = 5
_WHOLE = ("when", "to")
"""What a PATCH replaces as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleEndpoints:
    """Takes schedules, shows when they come and came, and stops them."""

    schedules: ScheduleStore
    planner: Planner
    maker: Maker
    firing: Firing

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return declared(
            Declared(
                add=self.add,
                show_page=self.show_page,
                show=self.show,
                change=self.change,
                remove=self.remove,
                pause=self.pause,
                resume=self.resume,
                run_now=self.run_now,
                show_next=self.show_next,
                show_runs=self.show_runs,
            )
        )

    async def add(self, call: Call[ScheduleRequest, ScheduleQuery]) -> Response:
        """Add a schedule."""
        service = call.acting_for(call.query.service)
        wish = call.body.wish()
        made = await self.planner.planned(wish, service) if isinstance(wish, Wish) else wish
        if isinstance(made, list):
            return await call.refuse(_invalid(made))
        answer = Answer(
            status=HTTPStatus.CREATED,
            body=AddedScheduleView.of(made).json_value(),
            headers={
                "Location": location(call.request, f"{PREFIX}/{made.id}"),
                "ETag": quoted(made.etag),
            },
        )
        added: Response | NameTaken = await call.once(partial(self.schedules.add, made), answer)
        return await call.refuse(_name_taken()) if isinstance(added, NameTaken) else added

    async def show_page(self, call: Call[None, SchedulesQuery]) -> Response:
        """Show a page of schedules."""
        query = call.query
        found = await self.schedules.list(
            service=call.seeing(query.service), limit=query.limit + 1, after=query.after
        )
        return call.page(found, SchedulesView, ScheduleView.of, lambda schedule: schedule.id)

    async def show(self, call: Call[None, None]) -> Response:
        """Show one."""
        return _shown(await self._found(call))

    async def change(self, call: Call[dict[str, JsonValue], None]) -> Response:
        """Change a part of one."""
        for _ in range(_MOST_TRIES):
            stored = await self._found(call)
            require_meant(call, stored.etag, "schedule")
            made = await self.planner.changed(stored, _patched(stored, call.body))
            if isinstance(made, list):
                raise _invalid(made)
            changed = await self.schedules.change(made, etag=stored.etag)
            if not isinstance(changed, LostRace):
                return _shown(_named_anew(changed))
        raise ProblemError(BUSY, "Others change it all the time. Try again.")

    async def remove(self, call: Call[None, None]) -> Response:
        """Remove one."""
        there(await self.schedules.remove(call.named("id"), service=call.caller.sees))
        return Answer(status=HTTPStatus.NO_CONTENT).response()

    async def pause(self, call: Call[None, None]) -> Response:
        """Let one be due no more."""
        paused = await self.schedules.pause(call.named("id"), service=call.caller.sees)
        return _shown(there(paused))

    async def resume(self, call: Call[None, None]) -> Response:
        """Let one be due again, from now on."""
        stored = await self._found(call)
        progress = await self.planner.resumed(stored)
        if isinstance(progress, list):
            raise _invalid(progress)
        return _shown(there(await self.schedules.resume(stored, progress)))

    async def run_now(self, call: Call[None, None]) -> Response:
        """Make what it would make if it were due."""
        stored = await self._found(call)
        run = manual_run(stored, self.planner.drafter.clock.now())
        [made] = await self.maker.made(stored.service, [(stored, run)])
        if isinstance(made, list):
            return await call.refuse(_invalid(made))
        ran = fired(run, made)
        answer = Answer(status=HTTPStatus.ACCEPTED, body=MadeView.of(ran).json_value())
        return await call.once(partial(self.firing.record_manual, ran, made), answer)

    async def show_next(self, call: Call[None, UpcomingQuery]) -> Response:
        """Show when one is due next."""
        stored = await self._found(call)
        slots = await self.planner.upcoming(stored, call.query.count)
        return ok(UpcomingView.of(stored, [*slots]))

    async def show_runs(self, call: Call[None, RunsQuery]) -> Response:
        """Show a page of what became of one's slots."""
        stored = await self._found(call)
        limit = call.query.limit
        found = await self.schedules.runs(stored.id, limit=limit + 1, after=call.query.after)
        return call.page(found, RunsView, RunView.of, place_of)

    async def _found(self, call: Call[Any, Any]) -> StoredSchedule:
        return there(await self.schedules.get(call.named("id"), service=call.caller.sees))


def _named_anew(found: StoredSchedule | NotFound | NameTaken) -> StoredSchedule:
    if isinstance(found, NameTaken):
        raise _name_taken()
    return there(found)


def _shown(schedule: StoredSchedule) -> Response:
    body, headers = ScheduleView.of(schedule).json_value(), {"ETag": quoted(schedule.etag)}
    return Answer(status=HTTPStatus.OK, body=body, headers=headers).response()


def _patched(stored: StoredSchedule, patch: dict[str, JsonValue]) -> Wish:
    whole = {name: patch[name] for name in _WHOLE if name in patch}
    rest = {name: value for name, value in patch.items() if name not in whole}
    document = patched(document_of(stored), rest)
    read = read_strictly(
        ScheduleRequest, {**document, **whole} if isinstance(document, dict) else document
    )
    if isinstance(read, list):
        raise invalid(read)
    wish = read.wish()
    if isinstance(wish, list):
        raise _invalid(wish)
    return wish


def _invalid(flaws: Sequence[Flaw]) -> ProblemError:
    return invalid([InvalidField(pointer((it.field, *it.path)), it.words) for it in flaws])


def _name_taken() -> ProblemError:
    return invalid([InvalidField("/name", "another schedule has this name")])
