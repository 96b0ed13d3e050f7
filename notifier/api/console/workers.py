"""The page of workers: every process, what it is at, and draining one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from starlette.responses import Response

from notifier.api.console.layout import Section
from notifier.api.console.lists import cut
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import counted, length_words, time_words
from notifier.api.kit.problems import WRONG_STATE, ProblemError, not_found
from notifier.idempotency import NotFound
from notifier.roster import CONSUMING, CannotDrain, Process, Role, Roster, State

SECTION = Section(title="Workers", path="/workers", scope="admin")
_PER_PAGE = 200
_FEW = 10
_MIB = 1_048_576
_ROLES: Mapping[Role, str] = {
    Role.API: "API",
    Role.RUNNER: "Runner",
    Role.WORKER: "Worker",
    Role.ONE_PROCESS: "API and workers in one",
}


@dataclass(frozen=True, slots=True)
class WorkerPages:
    """Shows the processes, and asks them to drain."""

    roster: Roster

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        return (
            ConsolePage(path=SECTION.path, scope=SECTION.scope, serve=self.show),
            *(
                ConsolePage(
                    path=f"{SECTION.path}/{{name}}/{verb}",
                    scope=SECTION.scope,
                    serve=partial(self.ask, verb == "drain"),
                    method="POST",
                )
                for verb in ("drain", "resume")
            ),
        )

    async def show(self, visit: Visit) -> Response:
        """Show a page of them, or anew what is on it."""
        after = visit.asked("after")
        found = await self.roster.list(limit=_PER_PAGE + 1, after=after or None)
        shown, last = cut(found, _PER_PAGE)
        ended = [each for each in shown if each.seen.state is State.STOPPED]
        there = [each for each in shown if each.seen.state is not State.STOPPED]
        return visit.page(
            "workers_list.html" if visit.is_partial else "workers.html",
            {
                "processes": [_viewed(each) for each in there],
                "ended": [_viewed(each) for each in ended],
                "told": _summary(there),
                "after": after,
                "next": last.identity.name if last else "",
            },
        )

    async def ask(self, drains: bool, visit: Visit) -> Response:  # noqa: FBT001  bound by `partial`
        """Ask one to drain, or to take again."""
        asked = await self.roster.drain(visit.named("name"), is_wanted=drains)
        match asked:
            case NotFound():
                raise not_found()
            case CannotDrain(reason):
                raise ProblemError(WRONG_STATE, f"That cannot be asked: {reason}.")
        return visit.to(SECTION.path)


def _summary(there: Sequence[Process]) -> str:
    workers = [each for each in there if each.identity.role in CONSUMING]
    late = sum(each.is_late for each in there)
    slots = sum(each.seen.slots for each in workers)
    busy = sum(each.seen.busy for each in workers)
    told = [f"{counted(len(workers), 'worker')}, {busy:,} of {counted(slots, 'slot')} busy"]
    if late:
        told.append(f"{late:,} late")
    return ", ".join(told)


def _viewed(process: Process) -> Mapping[str, object]:
    identity, seen = process.identity, process.seen
    takes = identity.role in CONSUMING and seen.state is not State.STOPPED
    return {
        "name": identity.name,
        "role": _ROLES[identity.role],
        "host": identity.host,
        "pid": identity.pid,
        "version": identity.version,
        "runner": identity.runner,
        "word": process.word,
        "started": time_words(process.started_at),
        "silent": length_words(process.silent_s),
        "restarts": seen.restarts,
        "handled": f"{seen.handled:,}",
        "memory": f"{seen.memory_bytes / _MIB:,.0f} MiB" if seen.memory_bytes else "",
        "is_busy": takes,
        "busy": seen.busy,
        "slots": seen.slots,
        "consumes": _by_channel(seen.consumes),
        "attempts": [str(each) for each in seen.attempts[:_FEW]],
        "more": max(0, seen.busy - _FEW),
        "verb": ("resume" if process.is_to_drain else "drain") if takes else "",
        "is_asked": process.is_to_drain and seen.state is State.RUNNING,
    }


def _by_channel(sources: Sequence[str]) -> str:
    lanes: dict[str, list[str]] = {}
    for each in sources:
        channel, _, lane = each.partition(".")
        lanes.setdefault(channel, []).append(lane)
    return "; ".join(f"{channel}: {', '.join(found)}" for channel, found in lanes.items())
