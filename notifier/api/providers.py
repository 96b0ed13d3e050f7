"""The endpoints for providers: how they stand, and an operator's pause."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from notifier.api.config import ApiConfig, ApiServices
from notifier.api.kit.access import Caller
from notifier.api.kit.body import parse_json, read_body, read_empty_body, require_json
from notifier.api.kit.checking import read_strictly
from notifier.api.kit.fields import single_line
from notifier.api.kit.idempotency import Answer, idempotency, key_reused, remembered
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import INVALID, NOT_FOUND, invalid, not_found
from notifier.api.kit.views import View
from notifier.idempotency import Applied, KeyReused, Remembered
from notifier.notification.model import Channel
from notifier.providers.account import ProviderWord
from notifier.providers.standing import Standing, standings

PREFIX = "/api/v1/providers"

_TAG = "Providers"
_MAX_VALUES = 10


class PauseRequest(BaseModel):
    """Why a provider is not to be asked."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    reason: Annotated[
        str,
        StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,200}$"),
        AfterValidator(single_line),
        Field(description="One line, for other operators."),
    ]


class ProviderView(View):
    """A provider account, as all workers share it."""

    name: str
    channels: Annotated[list[Channel], Field(description="Those that it serves here.")]
    state: Annotated[
        ProviderWord,
        Field(
            description="closed: traffic flows. open: it failed, and is asked again later. "
            "paused: by an operator. throttled: it asked for a pause."
        ),
    ]
    reason: str | None
    opened_at: datetime | None
    closed_for_s: Annotated[
        float, Field(description="Seconds until it is asked again, if it is not paused.")
    ]
    trips: Annotated[
        int, Field(description="How often in a row its breaker opened without a success between.")
    ]
    put_off: Annotated[
        int,
        Field(
            description="Notifications that wait since it refused us, or because its breaker is "
            "open; of more than 10,000 that wait for anything, the first are looked at."
        ),
    ]
    put_off_oldest_s: Annotated[
        float | None, Field(description="Seconds since the oldest of them was accepted.")
    ]

    @classmethod
    def of(cls, standing: Standing) -> Self:
        """View `standing`."""
        state = standing.state
        return cls(
            name=state.name,
            channels=list(standing.channels),
            state=state.word,
            reason=state.reason,
            opened_at=state.opened_at,
            closed_for_s=state.closed_for_s,
            trips=state.trips,
            put_off=standing.put_off.count,
            put_off_oldest_s=standing.put_off.oldest_s if standing.put_off.count else None,
        )


class ProvidersView(View):
    """Every provider that is configured here, or ever was in trouble."""

    items: list[ProviderView]


class OrderedView(View):
    """What an operator ordered a provider to be."""

    name: str
    state: Literal["closed", "paused"]


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
