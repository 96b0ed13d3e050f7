"""The endpoints for providers: how they stand, and an operator's pause."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from notifier.api.answers import OrderedView, ProvidersView, ProviderView
from notifier.api.config import ApiConfig, ApiServices
from notifier.api.kit.access import Caller
from notifier.api.kit.body import parse_json, read_body, read_empty_body, require_json
from notifier.api.kit.idempotency import Answer, idempotency, key_reused, remembered
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import INVALID, NOT_FOUND, invalid, not_found
from notifier.api.wire import PauseRequest, read_strictly
from notifier.idempotency import Applied, KeyReused, Remembered
from notifier.providers.standing import standings

PREFIX = "/api/v1/providers"

_TAG = "Providers"
_MAX_VALUES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEndpoints:
    """Shows and pauses provider accounts, which all services share."""

    services: ApiServices
    config: ApiConfig

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._listing(), *self._ordering())

    async def show(self, request: Request, caller: Caller) -> Response:
        """Show every provider."""
        del request, caller
        states = await self.services.providers.states()
        put_off = await self.services.providers.put_off()
        found = standings(self.config.routes, states, put_off)
        view = ProvidersView(items=[ProviderView.of(each) for each in found.values()])
        return Answer(status=HTTPStatus.OK, body=view.json_value()).response()

    async def pause(self, request: Request, caller: Caller) -> Response:
        """Keep a provider from being asked."""
        require_json(request.scope)
        body = await read_body(
            request,
            max_bytes=self.config.max_body_bytes,
            timeout_s=self.config.body_timeout_s,
        )
        wanted = read_strictly(PauseRequest, parse_json(body, max_values=_MAX_VALUES))
        if isinstance(wanted, list):
            raise invalid(wanted)
        name, answer = await self._name(request), _ordered(request, "paused")
        kept = idempotency(request, caller, body, answer, self.config.pepper)
        result = await self.services.providers.pause(name, reason=wanted.reason, idempotency=kept)
        return _response(result, answer)

    async def resume(self, request: Request, caller: Caller) -> Response:
        """Let a provider be asked again."""
        body = await read_empty_body(request, timeout_s=self.config.body_timeout_s)
        name, answer = await self._name(request), _ordered(request, "closed")
        kept = idempotency(request, caller, body, answer, self.config.pepper)
        return _response(await self.services.providers.resume(name, kept), answer)

    async def _name(self, request: Request) -> str:
        name: str = request.path_params["name"]
        if any(name in providers for providers in self.config.routes.values()):
            return name
        if name not in {state.name for state in await self.services.providers.states()}:
            raise not_found()
        return name

    def _listing(self) -> Operation:
        return Operation(
            id="listProviders",
            method="GET",
            path=PREFIX,
            summary="The providers, and whether they may be asked",
            description="Those that are configured here, and those that ever were in trouble.",
            tag=_TAG,
            handler=self.show,
            scope="read",
            replies={200: Reply(description="All of them", model=ProvidersView)},
        )

    def _ordering(self) -> Sequence[Operation]:
        return (
            Operation(
                id="pauseProvider",
                method="POST",
                path=f"{PREFIX}/{{name}}/pause",
                summary="Keep a provider from being asked until it is resumed",
                description="What waits for it keeps its attempts, and goes to the channel's next "
                "provider if there is one.",
                tag=_TAG,
                handler=self.pause,
                scope="admin",
                body=PauseRequest,
                is_idempotent=True,
                replies={200: Reply(description="Paused", model=OrderedView)},
                problems=(NOT_FOUND,),
            ),
            Operation(
                id="resumeProvider",
                method="POST",
                path=f"{PREFIX}/{{name}}/resume",
                summary="End a provider's pause, and close its breaker",
                tag=_TAG,
                handler=self.resume,
                scope="admin",
                is_idempotent=True,
                replies={200: Reply(description="Closed: traffic flows", model=OrderedView)},
                problems=(NOT_FOUND, INVALID),
            ),
        )


def _ordered(request: Request, state: Literal["closed", "paused"]) -> Answer:
    view = OrderedView(name=request.path_params["name"], state=state)
    return Answer(status=HTTPStatus.OK, body=view.json_value())


def _response(result: Applied | Remembered | KeyReused, answer: Answer) -> Response:
    match result:
        case Applied():
            return answer.response()
        case Remembered(earlier):
            return remembered(earlier)
        case KeyReused():
            raise key_reused()
