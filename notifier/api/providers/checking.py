"""Handshakes: whether a provider would take a message, without sending one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field
from starlette.responses import Response

from notifier.api.kit.answers import ok
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import NOT_FOUND, not_found
from notifier.api.kit.views import View
from notifier.checkup import Part, State
from notifier.providers.trial import Bench


class HandshakeView(View):
    """What came of a handshake."""

    part: Annotated[str, Field(description="The channel, and the provider.")]
    state: State
    detail: str
    advice: Annotated[str, Field(description="What to do; empty if nothing is.")]
    took_ms: int

    @classmethod
    def of(cls, it: Part) -> Self:
        """View `it`."""
        state, detail, advice = it.finding
        took_ms = round(it.took_s * 1000)
        return cls(part=it.name, state=state, detail=detail, advice=advice, took_ms=took_ms)


class HandshakesView(View):
    """What came of it, for each channel that the provider serves here."""

    items: list[HandshakeView]


@dataclass(frozen=True, slots=True)
class ProviderChecks:
    """Lets operators greet a provider."""

    bench: Bench

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoint."""
        return (
            Operation(
                id="checkProvider",
                method="POST",
                path="/api/v1/providers/{name}/check",
                summary="Log in at a provider and send nothing",
                description="As for a message, from the API's process, with the settings that it "
                "has: SMTP up to NOOP, SendGrid's scopes, Twilio's account.",
                tag="Providers",
                serve=self.check,
                scope="admin",
                replies={200: Reply(description="What came of it", model=HandshakesView)},
                problems=(NOT_FOUND,),
            ),
        )

    async def check(self, call: Call[None, None]) -> Response:
        """Greet it."""
        parts = await self.bench.greet(call.named("name"))
        if not parts:
            raise not_found()
        return ok(HandshakesView(items=[HandshakeView.of(each) for each in parts]))
