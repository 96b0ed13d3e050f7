"""The endpoints for providers: how they stand, and an operator's pause."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from notifier.api.kit.answers import Answer, ok
from notifier.api.kit.calls import Call
from notifier.api.kit.fields import single_line
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import INVALID, NOT_FOUND, not_found
from notifier.api.kit.views import View
from notifier.notification.model import Channel
from notifier.providers.account import Answered, ProviderStore, ProviderWord
from notifier.providers.standing import Standing, standings
from notifier.providers.trial import Bench, Configured, by_name

PREFIX = "/api/v1/providers"

_TAG = "Providers"
_MAX_VALUES = 10


class PauseRequest(BaseModel):
    """Why a provider is not to be asked."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    reason: Annotated[
        str,
        StringConstraints(min_length=1, max_length=200),
        AfterValidator(single_line),
        Field(description="One line, for other operators."),
    ]


class AnsweredView(View):
    """What a provider answered lately."""

    within_s: int
    sent: int
    failed: int
    mean_s: Annotated[
        float | None, Field(description="From an attempt's beginning to its end, on average.")
    ]


class ProviderView(View):
    """A provider account, as all workers share it."""

    name: str
    channels: Annotated[list[Channel], Field(description="Those that it serves here.")]
    order: Annotated[
        dict[Channel, int],
        Field(description="Its place among the providers of each: 1 is asked first."),
    ]
    settings: Annotated[
        dict[str, str] | None,
        Field(description="How it is reached and how fast it is asked; for keys with `admin`."),
    ]
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

    answered: Annotated[
        list[AnsweredView] | None,
        Field(
            description="In the last 5 minutes and the last hour, of the newest 20,000 entries of "
            "timelines; for keys with `admin`."
        ),
    ]

    @classmethod
    def of(
        cls,
        standing: Standing,
        configured: Sequence[Configured],
        answered: Sequence[Answered] | None,
    ) -> Self:
        """View `standing`, how it is set up here by channel, and what it answered.

        Without `answered`, what operators alone are told is left out.
        """
        is_admin = answered is not None
        state = standing.state
        return cls(
            name=state.name,
            channels=list(standing.channels),
            order={each.channel: each.place for each in configured},
            settings=dict(configured[0].settings) if is_admin and configured else None,
            answered=None if answered is None else _viewed(answered),
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
    """Shows and orders provider accounts, which all services share."""

    providers: ProviderStore
    routes: Mapping[Channel, Sequence[str]]
    """The channels that are on, with their providers."""
    bench: Bench

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._listing(), *self._ordering())

    async def show(self, call: Call[None, None]) -> Response:
        """Show every provider."""
        states = await self.providers.states()
        put_off = await self.providers.put_off()
        found = standings(self.routes, states, put_off)
        configured = by_name(self.bench.configured())
        is_admin = "admin" in call.caller.scopes
        answered = await self.providers.answered() if is_admin else ()
        views = [
            ProviderView.of(
                each,
                configured.get(name, ()),
                [it for it in answered if it.provider == name] if is_admin else None,
            )
            for name, each in found.items()
        ]
        return ok(ProvidersView(items=views))

    async def pause(self, call: Call[PauseRequest, None]) -> Response:
        """Keep a provider from being asked."""
        name = await self._known(call.named("name"))
        pause = partial(self.providers.pause, name, reason=call.body.reason)
        return await call.once(pause, _ordered(name, "paused"))

    async def resume(self, call: Call[None, None]) -> Response:
        """Let a provider be asked again."""
        name = await self._known(call.named("name"))
        return await call.once(partial(self.providers.resume, name), _ordered(name, "closed"))

    async def _known(self, name: str) -> str:
        if any(name in providers for providers in self.routes.values()):
            return name
        if name not in {state.name for state in await self.providers.states()}:
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
            serve=self.show,
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
                serve=self.pause,
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
                serve=self.resume,
                scope="admin",
                is_idempotent=True,
                replies={200: Reply(description="Closed: traffic flows", model=OrderedView)},
                problems=(NOT_FOUND, INVALID),
            ),
        )


def _viewed(answered: Sequence[Answered]) -> list[AnsweredView]:
    return [
        AnsweredView(within_s=each.within_s, sent=each.sent, failed=each.failed, mean_s=each.mean_s)
        for each in answered
    ]


def _ordered(name: str, state: Literal["closed", "paused"]) -> Answer:
    return Answer(status=HTTPStatus.OK, body=OrderedView(name=name, state=state).json_value())
