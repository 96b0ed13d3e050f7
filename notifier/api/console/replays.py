"""The page of replays: how far each is, stopping it, taking it back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from starlette.responses import Response

from notifier.api.console.dead_letters import REPLAYS
from notifier.api.console.layout import Section
from notifier.api.console.lists import cut
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import time_words
from notifier.api.kit.problems import WRONG_STATE, ProblemError, not_found
from notifier.idempotency import NotFound
from notifier.replays.replay import (
    COMES_FROM,
    UNDER_WAY,
    Refused,
    ReplayStore,
    Selection,
    State,
    StoredReplay,
)

SECTION = Section(title="Replays", path=REPLAYS, scope="read")
_CHANGES = "send"
_PER_PAGE = 20
_VERBS: Mapping[str, State] = {
    "pause": State.PAUSED,
    "resume": State.RUNNING,
    "stop": State.STOPPED,
    "undo": State.UNDOING,
}


@dataclass(frozen=True, slots=True)
class ReplayPages:
    """Shows replays, and moves them."""

    replays: ReplayStore

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        moving = (
            ConsolePage(
                path=f"{SECTION.path}/{{id:uuid}}/{verb}",
                scope=_CHANGES,
                serve=partial(self.move, to),
                method="POST",
            )
            for verb, to in _VERBS.items()
        )
        return (ConsolePage(path=SECTION.path, scope=SECTION.scope, serve=self.show), *moving)

    async def show(self, visit: Visit) -> Response:
        """Show a page of them, or anew what is on it."""
        found = await self.replays.list(
            service=visit.caller.sees, limit=_PER_PAGE + 1, after=visit.after()
        )
        shown, last = cut(found, _PER_PAGE)
        after = visit.asked("after")
        may_change = _CHANGES in visit.caller.scopes
        return visit.page(
            "replays_list.html" if visit.is_partial else "replays.html",
            {
                "items": [_viewed(each, may_change=may_change) for each in shown],
                "is_moving": any(each.state in UNDER_WAY for each in shown),
                "query": f"?after={after}" if after else "",
                "next": f"?after={last.id}" if last else "",
            },
        )

    async def move(self, to: State, visit: Visit) -> Response:
        """Pause, resume, stop or undo one."""
        match await self.replays.move(visit.named("id"), to, service=visit.caller.sees):
            case NotFound():
                raise not_found()
            case Refused(state):
                raise ProblemError(WRONG_STATE, f"It is {state}: that cannot be asked any more.")
        return visit.to(SECTION.path)


def _viewed(replay: StoredReplay, *, may_change: bool) -> Mapping[str, object]:
    counts = replay.counts
    verbs = [verb for verb, to in _VERBS.items() if replay.state in COMES_FROM[to]]
    return {
        "id": replay.id,
        "what": _what(replay.selection),
        "state": replay.state.value,
        "since": time_words(replay.finished_at or replay.created_at),
        "begun_by": replay.begun_by,
        "rate": replay.rate_per_s,
        "replayed": counts.replayed,
        "expected": replay.expected,
        "selected": counts.selected,
        "skipped": sum(counts.skipped.values()),
        "undone": counts.undone,
        "verbs": verbs if may_change else (),
    }


def _what(selection: Selection) -> str:
    filter = selection.filter
    told = {
        "": selection.service,
        "channel": ", ".join(sorted(filter.channels)),
        "provider": filter.provider,
        "error": filter.error_code,
        "template": filter.template,
        "ids": str(len(selection.ids)) if selection.ids else None,
    }
    words = [f"{name} {value}".strip() for name, value in told.items() if value]
    return ", ".join(words) or "everything that had failed"
