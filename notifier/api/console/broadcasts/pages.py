"""The pages of broadcasts: all of them, and how far one is."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from starlette.responses import Response

from notifier.api.console.broadcasts.words import SECTION, details, viewed
from notifier.api.console.fields import FormPage
from notifier.api.console.layout import CONSOLE
from notifier.api.console.lists import cut
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.kit.problems import WRONG_STATE, ProblemError, there
from notifier.broadcasts.broadcast import UNDER_WAY, BroadcastStore, Refused, State, StoredBroadcast

ONE: Final = f"{SECTION.path}/{{id:uuid}}"
_PER_PAGE = 50
_DONE: Final = {
    "sent": "It is accepted: each member becomes a notification, once.",
    "pause": "It is paused: no more members are looked at.",
    "resume": "It goes on where it was paused.",
    "cancel": "It is cancelled, and what was not sent is taken back.",
}
_MOVES: Final = {"pause": State.PAUSED, "resume": State.EXPANDING, "cancel": State.CANCELLED}


@dataclass(frozen=True, slots=True)
class BroadcastPages:
    """Shows broadcasts, and pauses, resumes and cancels them."""

    broadcasts: BroadcastStore

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        page = partial(ConsolePage, scope=SECTION.scope)
        moving = (
            page(path=f"{ONE}/{name}", serve=partial(self._move, name), method="POST")
            for name in _MOVES
        )
        return (
            page(path=SECTION.path, serve=self.show),
            page(path=ONE, serve=self.show_one),
            page(path=f"{ONE}/cancel", serve=self.ask_to_cancel),
            *moving,
        )

    async def show(self, visit: Visit) -> Response:
        """Show a page of them, or anew what is on it."""
        after = visit.after()
        found = await self.broadcasts.list(
            service=visit.caller.sees, limit=_PER_PAGE + 1, after=after
        )
        shown, last = cut(found, _PER_PAGE)
        return visit.page(
            "broadcasts_list.html" if visit.is_partial else "broadcasts.html",
            {
                "items": [viewed(each, names=visit.caller.sees is None) for each in shown],
                "is_moving": any(each.state in UNDER_WAY for each in shown),
                "here": _here(visit),
                "next": f"?after={last.id}" if last else "",
            },
        )

    async def show_one(self, visit: Visit) -> Response:
        """Show how far one is, or that anew."""
        it = await self._found(visit)
        return visit.page(
            "broadcast_now.html" if visit.is_partial else "broadcast.html",
            {
                "it": viewed(it, names=visit.caller.sees is None),
                "details": details(it),
                "here": _here(visit),
                "is_moving": it.state in UNDER_WAY,
                "is_paused": it.state is State.PAUSED,
                "done": _DONE.get(visit.asked("done"), ""),
            },
        )

    async def ask_to_cancel(self, visit: Visit) -> Response:
        """Ask whether it is meant."""
        it = await self._found(visit)
        page = FormPage(
            title="Cancel this broadcast?",
            fields=(),
            facts=details(it),
            said=("Whom it reached got it. What is not sent yet is taken back, for good.",),
            button="Cancel it",
            action=f"{SECTION.path}/{it.id}/cancel",
            up=(it.template, f"{SECTION.path}/{it.id}"),
            is_dangerous=True,
        )
        return page.show(visit)

    async def _move(self, name: str, visit: Visit) -> Response:
        id = visit.named("id")
        moved = await self.broadcasts.move(id, _MOVES[name], service=visit.caller.sees)
        if isinstance(there(moved), Refused):
            raise ProblemError(WRONG_STATE, "It is over: nothing about it changes any more.")
        return visit.to(f"{SECTION.path}/{id}", done=name)

    async def _found(self, visit: Visit) -> StoredBroadcast:
        return there(await self.broadcasts.get(visit.named("id"), service=visit.caller.sees))


def _here(visit: Visit) -> str:
    root: str = visit.request.scope.get("root_path", "")
    path = visit.request.url.path.removeprefix(root).removeprefix(CONSOLE)
    query = visit.request.url.query
    return f"{root}{CONSOLE}{path}{'?' + query if query else ''}"
