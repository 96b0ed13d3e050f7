"""The pages of schedules: all of them, one of them, and what can be done with one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from starlette.responses import Response

from notifier.api.console.layout import Section
from notifier.api.console.lists import cut
from notifier.api.console.schedules import views
from notifier.api.console.schedules.ahead import look_ahead
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.kit.problems import not_found, there
from notifier.schedules.due import Firing
from notifier.schedules.firing import Maker, fired, in_words, manual_run
from notifier.schedules.planning import Planner
from notifier.schedules.schedule import ScheduleStore, StoredSchedule

SECTION = Section(title="Schedules", path="/schedules", scope="schedules")
ONE = f"{SECTION.path}/{{id:uuid}}"
_PER_PAGE = 50
_RUNS = 20
_DONE: Mapping[str, str] = {
    "added": "The schedule was added.",
    "changed": "The changes are saved.",
    "paused": "It is paused: it is due no more.",
    "not_resumed": "It stays paused: nothing would come of it as it is. Change it first.",
    "resumed": "It goes on from now. What came meanwhile is not sent.",
    "ran": "It was run, once.",
    "removed": "The schedule was deleted. What was sent stays.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulePages:
    """Shows schedules, and pauses, resumes, runs and removes them."""

    schedules: ScheduleStore
    planner: Planner
    maker: Maker
    firing: Firing

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        asked = {"": self.show, "/delete": self.ask_to_remove, "/run": self.ask_to_run}
        done = {
            "/pause": self.pause,
            "/resume": self.resume,
            "/delete": self.remove,
            "/run": self.run,
        }
        scope = SECTION.scope
        return (
            ConsolePage(path=SECTION.path, scope=scope, serve=self.show_page),
            *(ConsolePage(path=f"{ONE}{it}", scope=scope, serve=do) for it, do in asked.items()),
            *(
                ConsolePage(path=f"{ONE}{it}", scope=scope, serve=do, method="POST")
                for it, do in done.items()
            ),
        )

    async def show_page(self, visit: Visit) -> Response:
        """Show a page of schedules."""
        sees = visit.caller.sees
        found = await self.schedules.list(
            service=sees, limit=_PER_PAGE + 1, after=_id(visit.asked("after"))
        )
        items, last = cut(found, _PER_PAGE)
        return visit.page(
            "schedules.html",
            {
                "items": [views.shown(each, names=sees is None) for each in items],
                "next": f"?after={last.id}" if last else "",
                "done": _DONE.get(visit.asked("done"), ""),
            },
        )

    async def show(self, visit: Visit) -> Response:
        """Show one, when it comes and what came of it."""
        stored = await self._found(visit)
        clocks = views.clocks_of(stored.timing)
        ahead = await look_ahead(self.planner, stored.timing, stored.to, stored.service)
        after = _run(visit.asked("runs_after"))
        runs = await self.schedules.runs(stored.id, limit=_RUNS + 1, after=after)
        seen = [views.shown_run(each, clocks) for each in runs[:_RUNS]]
        return visit.page(
            "schedule.html",
            {
                "it": views.shown(stored, names=visit.caller.sees is None),
                "details": views.details(stored),
                "times": ahead.times,
                "many": ahead.many,
                "runs": seen,
                "runs_after": seen[-1]["place"] if len(runs) > _RUNS else "",
                "done": _DONE.get(visit.asked("done"), ""),
            },
        )

    async def pause(self, visit: Visit) -> Response:
        """Let one be due no more."""
        there(await self.schedules.pause(visit.named("id"), service=visit.caller.sees))
        return _back(visit, "paused")

    async def resume(self, visit: Visit) -> Response:
        """Let one be due again."""
        stored = await self._found(visit)
        progress = await self.planner.resumed(stored)
        if isinstance(progress, list):
            return _back(visit, "not_resumed")
        there(await self.schedules.resume(stored, progress))
        return _back(visit, "resumed")

    async def ask_to_remove(self, visit: Visit) -> Response:
        """Ask whether it is meant."""
        return self._asking(visit, await self._found(visit), "schedule_delete.html")

    async def remove(self, visit: Visit) -> Response:
        """Remove one."""
        there(await self.schedules.remove(visit.named("id"), service=visit.caller.sees))
        return visit.to(SECTION.path, done="removed")

    async def ask_to_run(self, visit: Visit) -> Response:
        """Ask whether it is meant; the form holds when that was, so that it sends once."""
        return self._asking(visit, await self._found(visit), "schedule_run.html")

    async def run(self, visit: Visit) -> Response:
        """Send what it sends, whenever it is due."""
        stored = await self._found(visit)
        run = manual_run(stored, _instant(visit.form.text("at")))
        [made] = await self.maker.made(stored.service, [(stored, run)])
        if isinstance(made, list):
            name = "schedule_run.html"
            return self._asking(visit, stored, name, wrong=in_words(made), status=422)
        await self.firing.record_manual(fired(run, made), made)
        return _back(visit, "ran")

    def _asking(
        self, visit: Visit, stored: StoredSchedule, name: str, wrong: str = "", status: int = 200
    ) -> Response:
        return visit.page(
            name,
            {
                "it": views.shown(stored, names=visit.caller.sees is None),
                "at": self.planner.drafter.clock.now().isoformat(),
                "wrong": wrong,
            },
            status=status,
        )

    async def _found(self, visit: Visit) -> StoredSchedule:
        return there(await self.schedules.get(visit.named("id"), service=visit.caller.sees))


def _back(visit: Visit, done: str) -> Response:
    """Lead to where the button was pressed."""
    is_listed = visit.form.text("from") == "list"
    path = SECTION.path if is_listed else f"{SECTION.path}/{visit.named('id')}"
    return visit.to(path, done=done)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise not_found() from None


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise not_found() from None
    if at.tzinfo is None:
        raise not_found()
    return at


def _run(text: str) -> tuple[datetime, str] | None:
    slot, _, zone = text.partition(",")
    return (_instant(slot), zone) if text else None
