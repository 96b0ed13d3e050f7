"""Test sends: one real message through exactly one provider, and how far it came."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from notifier.api.kit.answers import ok
from notifier.api.kit.calls import Call
from notifier.api.kit.fields import WireType
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import (
    INVALID,
    NOT_FOUND,
    RATE_LIMITED,
    InvalidField,
    ProblemError,
    invalid,
    not_found,
)
from notifier.api.kit.views import View
from notifier.api.kit.windows import WINDOW_S, FixedWindow
from notifier.clock import Clock
from notifier.notification.model import Channel
from notifier.providers.testing import Tester, UntestableError
from notifier.providers.trial import Step, StepState, Trial, TrialResult

A_MINUTE = 6
"""How many tests of a provider one process sends in a minute."""


class ProviderTestRequest(BaseModel):
    """To whom a test goes."""

    __test__ = False

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    to: Annotated[
        str,
        StringConstraints(min_length=1, max_length=400),
        Field(description="An address that the operator allows; in the sandbox, any."),
    ]
    type: Annotated[
        WireType | None,
        Field(description="Of a provider that serves several; else its first that can be tested."),
    ] = None


class StepView(View):
    """A step on the way to a provider."""

    name: Step
    state: StepState


class TrialView(View):
    """How far a test came."""

    provider: str
    result: Annotated[
        TrialResult,
        Field(description="unknown: the link broke, and it may have arrived."),
    ]
    kind: Annotated[
        Literal["sent", "transient", "permanent", "systemic", "unknown"],
        Field(description="As what an attempt of a notification would have ended."),
    ]
    steps: list[StepView]
    failed_at: Step | None
    code: Annotated[str | None, Field(description="The provider's, or ours without an answer.")]
    detail: Annotated[str | None, Field(description="In its words, without addresses in them.")]
    advice: Annotated[str | None, Field(description="What to do.")]
    provider_id: str | None
    took_ms: int

    @classmethod
    def of(cls, provider: str, it: Trial, took_s: float) -> Self:
        """View `it`."""
        return cls(
            provider=provider,
            result=it.result,
            kind=it.kind,
            steps=[StepView(name=name, state=state) for name, state in it.states()],
            failed_at=it.failed_at,
            code=it.code or None,
            detail=it.detail or None,
            advice=it.advice or None,
            provider_id=it.provider_id,
            took_ms=round(took_s * 1000),
        )


class Testing:
    """Sends tests for whoever may, so many in a minute, and times them."""

    __test__ = False

    def __init__(self, tester: Tester, clock: Clock) -> None:
        self._tester = tester
        self._clock = clock
        self._turns = FixedWindow(A_MINUTE, clock)

    async def send(self, name: str, to: str, channel: Channel | None, service: str) -> TrialView:
        """Send one, and wait for what comes of it.

        Raises:
            UntestableError: nothing was sent.
            ProblemError: 429, too many were sent in this minute.
        """
        counted = self._turns.count(name, 1)
        if not counted.is_allowed:
            words = f"A provider is tested {A_MINUTE} times in {WINDOW_S} s at most."
            headers = {"Retry-After": str(counted.ends_in_s)}
            raise ProblemError(RATE_LIMITED, words, headers=headers)
        begun_s = self._clock.monotonic_s()
        trial = await self._tester.test(name, to, channel=channel, service=service)
        return TrialView.of(name, trial, self._clock.monotonic_s() - begun_s)


@dataclass(frozen=True, slots=True)
class ProviderTests:
    """Lets operators test a provider."""

    testing: Testing

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoint."""
        return (
            Operation(
                id="testProvider",
                method="POST",
                path="/api/v1/providers/{name}/test",
                summary="Send a test through exactly one provider",
                description="Waits for what comes of it, 45 s at most, and names the step at which "
                "it failed, the provider's code and words, and what to do. To an address or domain "
                "that the operator allows, or anywhere where the sandbox captures it. It goes past "
                "pauses and breakers, spends no attempt, and is no notification: nothing of it is "
                "kept but a note in the audit log, with a keyed hash of the address. "
                f"{A_MINUTE} a minute for each provider and API process.",
                tag="Providers",
                serve=self.send,
                scope="admin",
                body=ProviderTestRequest,
                replies={200: Reply(description="What came of it", model=TrialView)},
                problems=(NOT_FOUND, INVALID),
            ),
        )

    async def send(self, call: Call[ProviderTestRequest, None]) -> Response:
        """Send one."""
        wanted, service = call.body, call.caller.service
        try:
            return ok(await self.testing.send(call.named("name"), wanted.to, wanted.type, service))
        except UntestableError as error:
            if error.field == "name":
                raise not_found() from None
            where = error.field and f"/{error.field}"
            raise invalid([InvalidField(where, str(error))]) from None
