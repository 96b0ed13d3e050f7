"""What can be done with a notification: each is asked for on a page of its own first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from starlette.responses import Response

from notifier.api.console.notifications.searching import SECTION
from notifier.api.console.notifications.showing import ONE, found, viewed
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.kit.problems import not_found
from notifier.idempotency import NotFound
from notifier.notification.orders import Erased, Orders, Refused
from notifier.notification.reading import QueryStore
from notifier.notification.transitions import CANCEL, REPLAY, Transition

_SCOPE = "send"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    name: str
    transition: Transition
    done: str
    question: str
    words: str
    button: str


_MOVES = (
    _Move(
        name="cancel",
        transition=CANCEL,
        done="cancelled",
        question="Take it back?",
        words="It is not sent any more, and cannot be brought back.",
        button="Take it back",
    ),
    _Move(
        name="replay",
        transition=REPLAY,
        done="replayed",
        question="Send it again?",
        words="It goes to the same address with the same content, at once and with all its "
        "attempts. Mend what made it fail first.",
        button="Send again",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MovingPages:
    """Cancels and replays notifications."""

    queries: QueryStore
    orders: Orders

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        return [
            ConsolePage(path=f"{ONE}/{move.name}", scope=_SCOPE, serve=serve, method=method)
            for move in _MOVES
            for method, serve in (
                ("GET", partial(self.ask, move)),
                ("POST", partial(self.do, move)),
            )
        ]

    async def ask(self, move: _Move, visit: Visit) -> Response:
        """Ask whether it is meant."""
        return await self._asking(move, visit)

    async def do(self, move: _Move, visit: Visit) -> Response:
        """Do it, or say why not."""
        id = visit.named("id")
        match await self.orders.move(move.transition, id, service=visit.caller.sees):
            case NotFound():
                raise not_found()
            case Refused(status):
                sources = " or ".join(sorted(move.transition.sources))
                wrong = f"It is {status} by now: only what is {sources} can be."
                return await self._asking(move, visit, wrong)
            case Erased():
                return await self._asking(move, visit, "What it said is erased.")
            case _:
                return visit.to(f"{SECTION.path}/{id}", done=move.done)

    async def _asking(self, move: _Move, visit: Visit, wrong: str = "") -> Response:
        it = await found(self.queries, visit)
        shown: Mapping[str, object] = {
            "it": viewed(it, names=visit.caller.sees is None),
            "move": {
                "name": move.name,
                "question": move.question,
                "words": move.words,
                "button": move.button,
            },
            "wrong": wrong,
        }
        status = HTTPStatus.CONFLICT if wrong else HTTPStatus.OK
        return visit.page("notification_move.html", shown, status=status)
