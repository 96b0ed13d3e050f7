"""A call: a request that was let in, read, and checked against what its operation declares."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Generic, Protocol, Self, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from notifier.api.kit.access import Caller
from notifier.api.kit.answers import Answer, ok
from notifier.api.kit.idempotency import Keeping, key_reused, remembered
from notifier.api.kit.problems import ProblemError
from notifier.api.kit.querying import next_page
from notifier.api.kit.views import Page, View
from notifier.idempotency import Applied, KeyReused, Remembered
from notifier.value import value

ENCODED_SLASH = "\x1f"
"""Stands for an encoded slash within a path's segment; nothing in one holds it otherwise."""

Body = TypeVar("Body")
Query = TypeVar("Query")
Other = TypeVar("Other")
Item = TypeVar("Item")
ItemView = TypeVar("ItemView", bound=View)


class Paged(Protocol):
    """A query that asks for a page."""

    @property
    def limit(self) -> int:
        """How many items at most."""


PageQuery = TypeVar("PageQuery", bound=Paged)


@value
class Call(Generic[Body, Query]):
    """What an endpoint is served with; `body` and `query` are None where none is declared."""

    request: Request
    caller: Caller
    body: Body
    query: Query
    keeping: Keeping | None = None
    """Of an idempotent one."""

    def named(self, name: str) -> Any:
        """Return this part of the path; a text as it was before it was encoded."""
        part = self.request.path_params[name]
        return part.replace(ENCODED_SLASH, "/") if isinstance(part, str) else part

    def acting_for(self, service: str | None) -> str:
        """Return the service that it is made for: `service`, or the caller's own.

        Raises:
            ProblemError: 403, it names another's without the scope admin.
        """
        return self.caller.may_name(service)

    def seeing(self, service: str | None) -> str | None:
        """Return the service whose things it may see; None for every service's. Raises as above."""
        return self.caller.may_see(service)

    async def once(
        self,
        change: Callable[..., Awaitable[Applied | Remembered | KeyReused | Other]],
        answer: Answer,
    ) -> Response | Other:
        """Make a change unless it was made before; returns `answer`, or the one it had then.

        It is called with `idempotency`, what to keep with its effect.

        Whatever else the change comes to is returned as it is.

        Raises:
            ProblemError: 422, the Idempotency-Key is none, or came with another request.
        """
        kept = self.keeping.of(answer) if self.keeping else None
        match await change(idempotency=kept):
            case Applied():
                return answer.response()
            case Remembered(earlier):
                return remembered(earlier)
            case KeyReused():
                raise key_reused()
            case other:
                return other

    def told_by(self, content: bytes) -> Self:
        """Return it with what tells its body from others, where that was not read as a whole."""
        keeping = self.keeping and replace(self.keeping, body=content)
        return replace(self, keeping=keeping)

    async def refuse(self, problem: ProblemError) -> Response:
        """Return the answer that it had when it came first.

        Raises:
            ProblemError: `problem`, it comes first now.
        """
        if self.keeping and (earlier := await self.keeping.earlier()):
            return earlier
        raise problem

    def page(
        self: "Call[Any, PageQuery]",
        found: Sequence[Item],
        page: type[Page[ItemView]],
        view: Callable[[Item], ItemView],
        place: Callable[[Item], object],
    ) -> Response:
        """Return the answer that shows the page that was asked for.

        Args:
            found: Its items, and one more if there is one.
            page: What it is shown as.
            view: Views an item.
            place: Returns an item's, as `after` takes it.
        """
        shown, after = self.cut(found, place)
        return ok(page(items=[view(each) for each in shown], next=after))

    def cut(
        self: "Call[Any, PageQuery]", found: Sequence[Item], place: Callable[[Item], object]
    ) -> tuple[Sequence[Item], str | None]:
        """Return what to show of what was found, one more than the limit, and where it goes on."""
        shown = found[: self.query.limit]
        more = len(found) > len(shown)
        return shown, next_page(self.request, place(shown[-1])) if more else None
