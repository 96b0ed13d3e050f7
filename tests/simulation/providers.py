"""The providers of a world: what each takes, refuses or leaves without an answer is journaled."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from notifier.notification.model import Message
from notifier.notification.outcomes import Outcome, Permanent, Sent, Systemic, Transient, Unknown
from tests.simulation.loop import Process, this_loop, this_process

_LATENCY_S = (0.001, 0.05)
_WORK_S = (0.005, 0.4)
TIMEOUT_S = 10.0
"""How long an answer is waited for."""


class Fate(StrEnum):
    """What a provider does with a message."""

    TAKEN = "taken"
    DEFERRED = "deferred"
    REFUSED = "refused"
    THROTTLED = "throttled"
    MISCONFIGURED = "misconfigured"
    TAKEN_IN_SILENCE = "taken in silence"
    LOST_IN_SILENCE = "lost in silence"

    @property
    def is_taken(self) -> bool:
        """Whether the recipient gets it."""
        return self in (Fate.TAKEN, Fate.TAKEN_IN_SILENCE)


SILENT = (Fate.TAKEN_IN_SILENCE, Fate.LOST_IN_SILENCE)
"""After these nobody knows whether the recipient gets it."""
FAIR: Mapping[Fate, float] = {Fate.TAKEN: 1.0}
_ROUGH: Mapping[Fate, float] = {
    Fate.DEFERRED: 0.5,
    Fate.REFUSED: 0.2,
    Fate.THROTTLED: 0.1,
    Fate.TAKEN_IN_SILENCE: 0.1,
    Fate.LOST_IN_SILENCE: 0.1,
}


def fair_weather(roughness: float) -> Mapping[Fate, float]:
    """How likely each fate is when nothing is wrong with a provider but this much."""
    return {
        Fate.TAKEN: 1 - roughness,
        **{fate: roughness * share for fate, share in _ROUGH.items()},
    }


@dataclass(slots=True)
class Call:
    """One call of a provider, as it saw it."""

    id: UUID
    attempt: int
    provider: str
    worker: str
    began_s: float
    recipient: str
    text: str
    fate: Fate | None = None
    """None until it arrived."""
    arrived_s: float | None = None
    told_s: float | None = None
    """When its answer was sent."""

    @property
    def provider_id(self) -> str:
        """The provider's name for what it took."""
        return f"SM{self.id.hex[-24:]}{self.attempt:08x}"


@dataclass
class Provider:
    """A provider's server, with its weather: how likely each fate is."""

    name: str
    process: Process
    chance: random.Random
    journal: list[Call]
    tell: Callable[[str], None] | None = None
    fair: Mapping[Fate, float] = field(default_factory=lambda: FAIR)
    call_back: Callable[[Call], None] | None = None
    """Called with what it took, if it tells afterwards what became of that."""

    def __post_init__(self) -> None:
        self.weather = self.fair

    def receive(self, call: Call, asker: Process, answer: "asyncio.Future[Outcome]") -> None:
        """Decide what becomes of a message; runs in the provider's process."""
        fates, weights = zip(*self.weather.items(), strict=True)
        call.arrived_s = self.process.loop.time()
        [call.fate] = self.chance.choices(fates, weights)
        if self.tell is not None:
            self.tell(f"{call.id} attempt {call.attempt} of {call.worker}: {call.fate}")
        if self.call_back is not None and call.fate.is_taken:
            self.call_back(call)
        outcome = self._outcome(call)
        if outcome is not None:
            self.process.post(
                self.chance.uniform(*_WORK_S), self._tell, call, asker, answer, outcome
            )

    def _tell(
        self, call: Call, asker: Process, answer: "asyncio.Future[Outcome]", outcome: Outcome
    ) -> None:
        call.told_s = self.process.loop.time()
        asker.post(self.chance.uniform(*_LATENCY_S), _set, answer, outcome)

    def _outcome(self, call: Call) -> Outcome | None:
        match call.fate:
            case Fate.TAKEN:
                return Sent(call.provider_id)
            case Fate.DEFERRED:
                return Transient(
                    "451", f"come back later, {call.recipient}", concerns_recipient=True
                )
            case Fate.REFUSED:
                return Permanent("550", f"no such user: {call.recipient}")
            case Fate.THROTTLED:
                return Transient("429", "too fast", throttled=True)
            case Fate.MISCONFIGURED:
                return Systemic("535", "wrong password")
            case _:
                return None


class WorldAdapter:
    """The adapter of a provider of the world."""

    def __init__(self, server: Provider) -> None:
        self.provider = server.name
        self._server = server

    async def send(self, message: Message) -> Outcome:
        loop, process = this_loop(), this_process()
        call = Call(
            message.id,
            message.attempt,
            self.provider,
            process.name,
            loop.time(),
            message.recipient,
            message.text,
        )
        self._server.journal.append(call)
        answer: asyncio.Future[Outcome] = loop.create_future()
        latency_s = self._server.chance.uniform(*_LATENCY_S)
        self._server.process.post(latency_s, self._server.receive, call, process, answer)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await answer
        except TimeoutError:
            return Unknown("timeout", "no answer")

    async def close(self) -> None:
        pass


def _set(answer: "asyncio.Future[Outcome]", outcome: Outcome) -> None:
    if not answer.done():
        answer.set_result(outcome)
