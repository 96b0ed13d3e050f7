"""The gate: which provider may be asked now, and when it is this caller's turn.

Breakers and paces belong to provider accounts and are shared by all workers through the
database. A worker passes the gate before it claims, so that what has to wait waits in its queue,
without a lease and without spending an attempt.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal, assert_never

import structlog

from notifier.clock import Clock
from notifier.errors import NotifierError, StoreUnavailableError
from notifier.notification.model import Lane
from notifier.notification.outcomes import Outcome, Permanent, Sent, Systemic, Transient, Unknown
from notifier.providers.account import ProviderState, ProviderStore
from notifier.providers.breaker import BreakerSettings, Evidence, is_about_one
from notifier.providers.pace import Pace
from notifier.trouble import Trouble

log = structlog.get_logger(__name__)


class GateClosedError(Exception):
    """Raised to those who wait at the gate when a worker lets go, or shuts down."""


PATIENCE_S: Mapping[Lane, float] = {Lane.HIGH: 2, Lane.NORMAL: 10, Lane.BULK: 60}
"""How long a notification waits for its turn at a paced provider before the next one is tried."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The right to make one call to a provider."""

    provider: str
    is_probe: bool = False


@dataclass(frozen=True, slots=True)
class Barred:
    """This provider is not to be asked now, but perhaps in `retry_after_s`."""

    provider: str
    reason: str
    retry_after_s: float
    cause: Literal["broken", "paused", "busy"] = "busy"
    """Its breaker is open; an operator paused it; or it throttles, or its pace is taken up."""


class Gate:
    """Admits callers to providers; one for each worker process."""

    def __init__(
        self,
        store: ProviderStore,
        clock: Clock,
        rates_per_s: Mapping[str, float],
        settings: BreakerSettings,
    ) -> None:
        self._store = store
        self._clock = clock
        self._rates = rates_per_s
        self._settings = settings
        self._evidence: defaultdict[str, Evidence] = defaultdict(partial(Evidence, settings))
        self._paces: defaultdict[str, Pace] = defaultdict(Pace)
        self._waiting: Counter[tuple[str, Lane]] = Counter()
        self._states: Mapping[str, ProviderState] = {}
        self._reminded_at_s: dict[str, float] = {}
        self._read_at_s: float | None = None
        self._reading: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._trouble = Trouble("gate.states_unknown", "gate.states_known", clock.monotonic_s)

    def close(self) -> None:
        """Turn away who waits and who comes."""
        self._closing.set()

    def open(self) -> None:
        """Let those who come wait and pass again."""
        self._closing.clear()

    async def admit_first(self, providers: Sequence[str], lane: Lane) -> Admission | Barred:
        """Admit to the first of `providers` that may be asked, waiting until one may.

        Barred: none could be asked for the longest time that a message should be kept.

        Raises:
            GateClosedError: the worker lets go, or shuts down.
        """
        give_up_s = self._clock.monotonic_s() + self._settings.hold_s
        places = [(provider, lane) for provider in providers]
        for place in places:
            self._waiting[place] += 1
        try:
            while True:
                answer = await self._admit_any(providers, lane)
                if isinstance(answer, Admission) or self._clock.monotonic_s() >= give_up_s:
                    return answer
                await self._wait(min(max(answer.retry_after_s, 0.1), self._settings.fresh_s))
        finally:
            for place in places:
                self._waiting[place] -= 1

    async def admit(
        self, provider: str, *, patience_s: float, lane: Lane = Lane.HIGH
    ) -> Admission | Barred:
        """Admit to `provider`, or say why not.

        Waits up to `patience_s` for its turn at a paced provider, and never for a breaker. A
        probe is left to who waits here with a more urgent `lane`.

        Raises:
            GateClosedError: the worker lets go, or shuts down.
        """
        if self._closing.is_set():
            raise GateClosedError
        if answer := await self._looked_at(provider, lane):
            return answer
        turn = await self._take_turn(provider, patience_s)
        if isinstance(turn, Barred):
            return turn
        # Meanwhile it may have been paused, or have asked to be left alone.
        looked = await self._looked_at(provider, lane) if turn > 0 else None
        return looked or Admission(provider)

    async def report(self, admission: Admission, outcome: Outcome, *, recipient: str) -> None:
        """Tell what came of the call; opens or closes the provider's breaker where that is due.

        `recipient` only tells one from another, and is not kept.

        A database that is away or busy loses the news, not the notification: nothing is raised.
        """
        try:
            await self._report(admission, outcome, hash(recipient.casefold()))
        except NotifierError as error:
            cause = type(error).__name__
            log.warning("gate.not_recorded", provider=admission.provider, error=cause)
        except Exception:  # a defect here must not lose what was handed over
            log.exception("gate.report_crashed", provider=admission.provider)

    async def give_back(self, admission: Admission | Barred) -> None:
        """Give back an admission that was not used, so that somebody else may probe at once.

        Raises nothing: where that cannot be written, the probe's lease ends by itself.
        """
        if not isinstance(admission, Admission) or not admission.is_probe:
            return
        try:
            await self._release(admission.provider, 0)
        except NotifierError as error:
            cause = type(error).__name__
            log.warning("gate.not_recorded", provider=admission.provider, error=cause)

    async def _admit_any(self, providers: Sequence[str], lane: Lane) -> Admission | Barred:
        soonest: Barred | None = None
        for provider in providers:
            answer = await self.admit(provider, patience_s=PATIENCE_S[lane], lane=lane)
            if isinstance(answer, Admission):
                return answer
            if soonest is None or answer.retry_after_s < soonest.retry_after_s:
                soonest = answer
        if soonest is None:
            raise ValueError("no provider to be admitted to")
        return soonest

    async def _looked_at(self, provider: str, lane: Lane) -> Admission | Barred | None:
        """What its state alone says; None where anybody may ask it whose turn it is."""
        state = await self._state(provider)
        if state is None:
            return None
        if barred := self._barred(state):
            return barred
        return await self._probe(provider, lane) if state.opened_at is not None else None

    async def _probe(self, provider: str, lane: Lane) -> Admission | Barred:
        lease_s = self._settings.probe_lease_s
        try:
            is_ours = not self._is_outranked(provider, lane) and await self._store.probe(
                provider, lease_s=lease_s
            )
        except StoreUnavailableError:
            is_ours = False
        if is_ours:
            return Admission(provider, is_probe=True)
        fresh_s = self._settings.fresh_s
        return Barred(provider, "its breaker is open and being probed", fresh_s, "broken")

    def _is_outranked(self, provider: str, lane: Lane) -> bool:
        lanes = list(Lane)
        return any(self._waiting[provider, other] for other in lanes[: lanes.index(lane)])

    async def _take_turn(self, provider: str, patience_s: float) -> float | Barred:
        """Wait for a turn; returns how long, in seconds."""
        learned_s = self._paces[provider].turn(self._clock.monotonic_s(), patience_s=patience_s)
        if learned_s is None:
            return Barred(provider, "it takes no more at once", self._settings.fresh_s)
        await self._wait(learned_s)
        rate_per_s = self._rates.get(provider)
        if rate_per_s is None:
            return learned_s
        try:
            delay_s = await self._store.reserve(
                provider, rate_per_s=rate_per_s, patience_s=patience_s
            )
        except StoreUnavailableError:
            return Barred(provider, "its pace is not known", self._settings.fresh_s)
        if delay_s is None:
            return Barred(provider, "its pace is taken up", self._settings.fresh_s)
        await self._wait(delay_s)
        return learned_s + delay_s

    async def _report(self, admission: Admission, outcome: Outcome, recipient: int) -> None:
        provider = admission.provider
        if isinstance(outcome, Transient) and outcome.throttled:
            await self._throttle(provider, outcome, recipient)
            await self.give_back(admission)
            return
        now_s = self._clock.monotonic_s()
        evidence = self._evidence[provider]
        is_known = evidence.holds(recipient)
        trips = evidence.trips(outcome, recipient, now_s)
        match outcome:
            case Sent() | Permanent() | Transient(concerns_recipient=True):
                self._paces[provider].taken(now_s)
                if admission.is_probe:
                    await self._close(provider)
            case Systemic() | Transient() | Unknown():
                is_doubt = isinstance(outcome, Systemic) and outcome.concerns_recipient
                if isinstance(outcome, Systemic):
                    log.warning("provider.refused", provider=provider, reason=outcome.code)
                if admission.is_probe and (is_doubt or (is_known and is_about_one(outcome))):
                    at_once = is_known and is_doubt  # it spends no attempt
                    await self._release(provider, 0 if at_once else self._settings.doubt_s)
                elif trips or admission.is_probe:
                    await self._open(provider, outcome.code, is_doubt=is_doubt)
            case _:
                assert_never(outcome)

    async def _open(self, provider: str, reason: str, *, is_doubt: bool) -> None:
        state = self._states.get(provider)
        trips = state.trips if state else 0
        for_s = self._settings.doubt_s if is_doubt else self._settings.open_s(trips)
        if trips == 0 and provider not in self._reminded_at_s:
            log.error("provider.opened", provider=provider, reason=reason, for_s=for_s)
        else:
            log.warning("provider.probe_failed", provider=provider, reason=reason, for_s=for_s)
        self._evidence[provider].has_opened()
        await self._store.open(provider, reason=reason, for_s=for_s)
        self._reminded_at_s.setdefault(provider, self._clock.monotonic_s())
        self._forget()

    async def _close(self, provider: str) -> None:
        log.info("provider.closed", provider=provider)
        self._evidence.pop(provider, None)
        self._reminded_at_s.pop(provider, None)
        await self._store.close(provider)
        self._forget()

    async def _release(self, provider: str, for_s: float) -> None:
        await self._store.release(provider, for_s=for_s)
        self._forget()

    async def _throttle(self, provider: str, outcome: Transient, recipient: int) -> None:
        if not self._evidence[provider].throttles(outcome, recipient):
            return
        pace = self._paces[provider]
        had_per_s = pace.per_s
        is_its_pace = pace.throttled(self._clock.monotonic_s())
        if pace.per_s is not None and pace.per_s != had_per_s:
            log.warning("provider.slowed", provider=provider, per_s=round(pace.per_s, 2))
        if is_its_pace and outcome.retry_after_s is None:
            # Going slower is enough, and each process finds its own share.
            return
        asked_s = outcome.retry_after_s
        for_s = self._settings.throttle_s if asked_s is None else asked_s
        log.warning("provider.throttled", provider=provider, for_s=for_s)
        await self._store.throttle(provider, for_s=for_s)
        self._forget()

    def _forget(self) -> None:
        self._read_at_s = None

    def _barred(self, state: ProviderState) -> Barred | None:
        if state.is_paused:
            reason = state.reason or "paused"
            return Barred(state.name, reason, self._settings.open_min_s, "paused")
        left_s = state.closed_for_s - (self._clock.monotonic_s() - (self._read_at_s or 0))
        if self._read_at_s is not None and left_s > 0:
            cause: Literal["broken", "busy"] = "busy" if state.opened_at is None else "broken"
            return Barred(state.name, state.reason or "not to be asked", left_s, cause)
        return None

    async def _state(self, provider: str) -> ProviderState | None:
        now_s = self._clock.monotonic_s()
        if self._read_at_s is None or now_s - self._read_at_s >= self._settings.fresh_s:
            await self._read()
        return self._states.get(provider)

    async def _read(self) -> None:
        """Read the shared states; who comes meanwhile waits for the same answer."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_once())
        await asyncio.shield(self._reading)

    async def _read_once(self) -> None:
        try:
            states = await self._store.states()
            self._learn({state.name: state for state in states})
            self._trouble.ended()
        except StoreUnavailableError:
            self._trouble.met()
        finally:
            self._read_at_s = self._clock.monotonic_s()
            self._reading = None

    def _learn(self, states: Mapping[str, ProviderState]) -> None:
        was_open = {name for name, state in self._states.items() if state.opened_at}
        self._states = states
        for name in was_open:
            if name not in states or states[name].opened_at is None:
                self._evidence.pop(name, None)  # it worked for another process
                self._reminded_at_s.pop(name, None)
        for state in states.values():
            if state.opened_at is not None:
                self._remind(state, state.opened_at)

    def _remind(self, state: ProviderState, opened_at: datetime) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._reminded_at_s.setdefault(state.name, now_s) < self._settings.remind_s:
            return
        self._reminded_at_s[state.name] = now_s
        for_s = round((self._clock.now() - opened_at).total_seconds())
        log.error("provider.still_open", provider=state.name, reason=state.reason, for_s=for_s)

    async def _wait(self, delay_s: float) -> None:
        if self._closing.is_set():
            raise GateClosedError
        if delay_s <= 0:
            return
        try:
            async with asyncio.timeout(delay_s):
                await self._closing.wait()
        except TimeoutError:
            return
        raise GateClosedError
