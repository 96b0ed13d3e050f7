"""The gate: which provider may be asked now, and when it is this caller's turn.

Breakers and paces belong to provider accounts and are shared by all workers through the
database. A worker passes the gate before it claims, so that what has to wait waits in its queue,
without a lease and without spending an attempt.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

import structlog

from notifier.errors import NotifierError, StoreUnavailableError
from notifier.notification import (
    Lane,
    Outcome,
    Permanent,
    Sent,
    Systemic,
    Transient,
    Unknown,
)
from notifier.ports import Clock, ProviderState, ProviderStore

log = structlog.get_logger(__name__)


class GateClosedError(Exception):
    """Raised to those who wait at the gate when a worker shuts down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings:
    """When a breaker opens, and for how long.

    It opens after `systemic_in_a_row` systemic failures, or when `failure_ratio` of at least
    `min_calls` calls of one process within `window_s` failed. Each further trip without a
    success doubles the time from `open_min_s` to `open_max_s`.
    """

    systemic_in_a_row: int = 3
    failure_ratio: float = 0.5
    min_calls: int = 20
    window_s: float = 30
    open_min_s: float = 30
    open_max_s: float = 600
    probe_lease_s: float = 60
    fresh_s: float = 1
    """How old what this process knows of the shared states may be."""
    throttle_s: float = 5
    """How long to pause where a throttling provider does not say."""
    hold_s: float = 900
    """How long to wait for a channel's providers before the notification is snoozed."""


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


@dataclass(slots=True)
class _Window:
    """What one process saw of one provider lately: (when, whether it failed)."""

    calls: deque[tuple[float, bool]] = field(default_factory=deque)
    systemic_in_a_row: int = 0


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
        self._windows: dict[str, _Window] = {}
        self._states: Mapping[str, ProviderState] = {}
        self._read_at_s: float | None = None
        self._reading: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Turn away who waits and who comes."""
        self._closing.set()

    async def admit_first(self, providers: Sequence[str], lane: Lane) -> Admission | Barred:
        """Admit to the first of `providers` that may be asked, waiting until one may.

        Barred: none could be asked for the longest time that a message should be kept.

        Raises:
            GateClosedError: the worker shuts down.
        """
        give_up_s = self._clock.monotonic_s() + self._settings.hold_s
        while True:
            answer = await self._admit_any(providers, lane)
            if isinstance(answer, Admission) or self._clock.monotonic_s() >= give_up_s:
                return answer
            await self._wait(min(max(answer.retry_after_s, 0.1), self._settings.fresh_s))

    async def admit(self, provider: str, *, patience_s: float) -> Admission | Barred:
        """Admit to `provider`, or say why not.

        Waits up to `patience_s` for its turn at a paced provider, and never for a breaker.

        Raises:
            GateClosedError: the worker shuts down.
        """
        if self._closing.is_set():
            raise GateClosedError
        state = await self._state(provider)
        if state is not None and (barred := self._barred(state)):
            return barred
        if state is not None and state.opened_at is not None:
            return await self._probe(provider)
        return await self._take_turn(provider, patience_s)

    async def report(self, admission: Admission, outcome: Outcome) -> None:
        """Tell what came of the call; opens or closes the provider's breaker where that is due.

        A database that is away or busy loses the news, not the notification: nothing is raised.
        """
        try:
            await self._report(admission, outcome)
        except NotifierError as error:
            cause = type(error).__name__
            log.warning("gate.not_recorded", provider=admission.provider, error=cause)
        except Exception:  # a defect here must not lose what was handed over
            log.exception("gate.report_crashed", provider=admission.provider)

    async def _admit_any(self, providers: Sequence[str], lane: Lane) -> Admission | Barred:
        soonest: Barred | None = None
        for provider in providers:
            answer = await self.admit(provider, patience_s=PATIENCE_S[lane])
            if isinstance(answer, Admission):
                return answer
            if soonest is None or answer.retry_after_s < soonest.retry_after_s:
                soonest = answer
        if soonest is None:
            raise ValueError("no provider to be admitted to")
        return soonest

    async def _probe(self, provider: str) -> Admission | Barred:
        lease_s = self._settings.probe_lease_s
        try:
            is_ours = await self._store.probe(provider, lease_s=lease_s)
        except StoreUnavailableError:
            is_ours = False
        if is_ours:
            return Admission(provider, is_probe=True)
        return Barred(provider, "its breaker is open and being probed", self._settings.fresh_s)

    async def _take_turn(self, provider: str, patience_s: float) -> Admission | Barred:
        rate_per_s = self._rates.get(provider)
        if rate_per_s is None:
            return Admission(provider)
        try:
            delay_s = await self._store.reserve(
                provider, rate_per_s=rate_per_s, patience_s=patience_s
            )
        except StoreUnavailableError:
            return Barred(provider, "its pace is not known", self._settings.fresh_s)
        if delay_s is None:
            return Barred(provider, "its pace is taken up", self._settings.fresh_s)
        await self._wait(delay_s)
        return Admission(provider)

    async def _report(self, admission: Admission, outcome: Outcome) -> None:
        provider = admission.provider
        window = self._windows.setdefault(provider, _Window())
        match outcome:
            case Transient(throttled=True):
                await self._throttle(provider, outcome.retry_after_s)
            case Sent() | Permanent() | Transient(concerns_recipient=True):
                self._note(window, has_failed=False)
                if admission.is_probe:
                    await self._close(provider)
            case Systemic() | Transient() | Unknown():
                if self._is_in_trouble(window, outcome) or admission.is_probe:
                    await self._open(provider, outcome.code)
            case _:
                assert_never(outcome)

    def _is_in_trouble(self, window: _Window, outcome: Systemic | Transient | Unknown) -> bool:
        if isinstance(outcome, Systemic):
            window.systemic_in_a_row += 1
            return window.systemic_in_a_row >= self._settings.systemic_in_a_row
        self._note(window, has_failed=True)
        return self._fails_too_often(window)

    def _note(self, window: _Window, *, has_failed: bool) -> None:
        now_s = self._clock.monotonic_s()
        window.systemic_in_a_row = 0
        window.calls.append((now_s, has_failed))
        while window.calls[0][0] < now_s - self._settings.window_s:
            window.calls.popleft()

    def _fails_too_often(self, window: _Window) -> bool:
        failed = sum(has_failed for _, has_failed in window.calls)
        calls = len(window.calls)
        return calls >= self._settings.min_calls and failed >= calls * self._settings.failure_ratio

    async def _open(self, provider: str, reason: str) -> None:
        state = self._states.get(provider)
        trips = state.trips if state else 0
        for_s = min(self._settings.open_min_s * 2.0 ** min(trips, 16), self._settings.open_max_s)
        log.error("provider.opened", provider=provider, reason=reason, for_s=for_s)
        self._windows.pop(provider, None)
        await self._store.open(provider, reason=reason, for_s=for_s)
        self._forget()

    async def _close(self, provider: str) -> None:
        log.info("provider.closed", provider=provider)
        self._windows.pop(provider, None)
        await self._store.close(provider)
        self._forget()

    async def _throttle(self, provider: str, retry_after_s: float | None) -> None:
        for_s = self._settings.throttle_s if retry_after_s is None else retry_after_s
        log.warning("provider.throttled", provider=provider, for_s=for_s)
        await self._store.throttle(provider, for_s=for_s)
        self._forget()

    def _forget(self) -> None:
        self._read_at_s = None

    def _barred(self, state: ProviderState) -> Barred | None:
        if state.is_paused:
            return Barred(state.name, state.reason or "paused", self._settings.open_min_s)
        left_s = state.closed_for_s - (self._clock.monotonic_s() - (self._read_at_s or 0))
        if self._read_at_s is not None and left_s > 0:
            return Barred(state.name, state.reason or "not to be asked", left_s)
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
            self._states = {state.name: state for state in states}
        except StoreUnavailableError:
            log.warning("gate.states_unknown")
        finally:
            self._read_at_s = self._clock.monotonic_s()
            self._reading = None

    async def _wait(self, delay_s: float) -> None:
        if delay_s <= 0:
            return
        try:
            async with asyncio.timeout(delay_s):
                await self._closing.wait()
        except TimeoutError:
            return
        raise GateClosedError
