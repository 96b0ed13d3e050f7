"""The page that sends what a notification said to another address."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from starlette.responses import Response

from notifier.api.console.notifications.searching import SECTION
from notifier.api.console.notifications.showing import ONE, found, viewed
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.kit.problems import not_found
from notifier.idempotency import NotFound
from notifier.intake.forwarding import Edit, Forwarder
from notifier.intake.ports import Submission
from notifier.intake.submission import Submitter
from notifier.notification.orders import Erased, Refused
from notifier.notification.reading import QueryStore

_SCOPE = "send"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardingPage:
    """Forwards notifications."""

    queries: QueryStore
    forwarder: Forwarder
    submitter: Submitter

    def pages(self) -> Sequence[ConsolePage]:
        """Declare it."""
        path = f"{ONE}/forward"
        return (
            ConsolePage(path=path, scope=_SCOPE, serve=self.ask),
            ConsolePage(path=path, scope=_SCOPE, serve=self.forward, method="POST"),
        )

    async def ask(self, visit: Visit) -> Response:
        """Ask where to."""
        return await self._asking(visit)

    async def forward(self, visit: Visit) -> Response:
        """Send it there, or say why not."""
        recipient = visit.form.text("recipient")
        if not recipient:
            return await self._asking(visit, flaw="Where is it to go?")
        made = await self.forwarder.submission(
            visit.named("id"), Edit(recipient=recipient), service=visit.caller.sees
        )
        match made:
            case Submission():
                await self.submitter.submit([made])
                return visit.to(f"{SECTION.path}/{made.id}", done="forwarded")
            case NotFound():
                raise not_found()
            case Refused(status):
                return await self._asking(visit, wrong=f"It is {status}: wait for its end.")
            case Erased():
                return await self._asking(visit, wrong="What it said is erased.")
            case flaws:
                return await self._asking(visit, flaw="; ".join(each.words for each in flaws))

    async def _asking(self, visit: Visit, *, wrong: str = "", flaw: str = "") -> Response:
        it = await found(self.queries, visit)
        shown = {
            "it": viewed(it, names=visit.caller.sees is None),
            "recipient": visit.form.text("recipient"),
            "wrong": wrong,
            "flaw": flaw,
        }
        refused = HTTPStatus.CONFLICT if wrong else HTTPStatus.UNPROCESSABLE_ENTITY
        status = refused if wrong or flaw else HTTPStatus.OK
        return visit.page("notification_forward.html", shown, status=status)
