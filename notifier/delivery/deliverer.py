"""Delivering one notification: claim -> render -> send -> finish."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from uuid import UUID

import structlog

from notifier.clock import Clock
from notifier.delivery.attempt import CUT_OFF, STOPPED, Handover, Held, Lease
from notifier.delivery.judging import (
    NO_SNOOZES,
    Decision,
    due_to,
    fault_of,
    interrupted,
    judge,
    may_fail_over,
)
from notifier.delivery.ports import (
    ChannelAdapter,
    Claimed,
    Finish,
    Leases,
    Snoozes,
    Unclaimed,
)
from notifier.delivery.preparing import Preparer
from notifier.delivery.retry import RetryPolicy
from notifier.delivery.settling import settle_unclaimed
from notifier.delivery.waiting import ended_within, is_being_cancelled, while_store_is_away
from notifier.errors import NotifierError, StoreRefusedError, StoreUnavailableError
from notifier.intake.publishing import Publisher
from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.model import Channel, Message
from notifier.notification.outcomes import (
    PAUSED,
    Fault,
    Outcome,
    Permanent,
    Sent,
    SuppressionReason,
    Systemic,
    Transient,
    Unknown,
    Withheld,
)
from notifier.notification.transitions import FAIL, INTERRUPT
from notifier.providers.gate import Admission, Barred, Gate, GateClosedError

log = structlog.get_logger(__name__)
FAILOVER_PATIENCE_S = 1
_TOO_LATE = Transient("too_late", "there was no time left for the call", throttled=True)


class Deliverer:
    """Moves one notification from its envelope to the end of an attempt."""

    def __init__(
        self,
        *,
        leases: Leases,
        publisher: Publisher,
        preparer: Preparer,
        routes: Mapping[Channel, Sequence[ChannelAdapter]],
        gate: Gate,
        policies: Mapping[Channel, RetryPolicy],
        lease: Lease,
        clock: Clock,
        random: Callable[[], float],
        new_token: Callable[[], UUID],
    ) -> None:
        self._leases = leases
        self._publisher = publisher
        self._preparer = preparer
        self._routes = {
            channel: {adapter.provider: adapter for adapter in adapters}
            for channel, adapters in routes.items()
        }
        self._gate = gate
        self._policies = policies
        self._lease = lease
        self._clock = clock
        self._random = random
        self._new_token = new_token
        self._closing = asyncio.Event()

    async def deliver(self, envelope: Envelope) -> Settlement:
        """Make one attempt; the settlement says what to do with the envelope's message.

        Waits at the gate before it claims. Cancelling it ends the provider's call, and the
        interruption is recorded.
        """
        try:
            admission = await self._gate.admit_first(
                tuple(self._routes[envelope.channel]), envelope.lane
            )
            held = await self._claim(envelope)
        except (GateClosedError, StoreUnavailableError):
            return Settlement.REQUEUE
        if isinstance(held, Held):
            await self._attempt(held, admission)
            return Settlement.ACK
        await self._gate.give_back(admission)
        return settle_unclaimed(envelope, held)

    def close(self) -> None:
        """Turn away who waits before a claim: their messages were not touched.

        An attempt that is under way asks no further provider, and is recorded.
        """
        self._closing.set()
        self._gate.close()

    def open(self) -> None:
        """Claim again what comes."""
        self._closing.clear()
        self._gate.open()

    async def _claim(self, envelope: Envelope) -> Held | Unclaimed | None:
        claim = partial(self._claim_once, envelope, self._new_token())
        return await while_store_is_away(claim, probe_s=self._lease.probe_s, closing=self._closing)

    async def _claim_once(self, envelope: Envelope, token: UUID) -> Held | Unclaimed | None:
        """Claim; cancelled meanwhile, give back what was claimed all the same."""
        since_s = self._clock.monotonic_s()
        claim = partial(
            self._leases.claim,
            envelope,
            lease_token=token,
            lease_s=self._lease.duration_s,
            leased_by=self._lease.held_by,
        )
        try:
            found = await claim()
        except asyncio.CancelledError:
            await self._give_back(claim)
            raise
        return Held(found, since_s) if isinstance(found, Claimed) else found

    async def _give_back(self, claim: Callable[[], Awaitable[Claimed | Unclaimed | None]]) -> None:
        """Interrupt what a claim took whose answer never came: made again, it has the same."""
        interrupting = asyncio.create_task(self._interrupt(claim))
        await ended_within(interrupting, self._lease.stop_patience_s)

    async def _interrupt(self, claim: Callable[[], Awaitable[Claimed | Unclaimed | None]]) -> None:
        with suppress(NotifierError):
            claimed = await while_store_is_away(claim, probe_s=self._lease.probe_s)
            if isinstance(claimed, Claimed):
                unasked = Handover(next(iter(self._routes[claimed.channel])))
                await self._finish(claimed, unasked, Decision(INTERRUPT, 0), is_stopping=True)

    async def _attempt(self, held: Held, first: Admission | Barred) -> None:
        claimed = held.claimed
        handover = Handover(first.provider)
        try:
            await self._send(held, first, handover)
            snoozes = await self._snoozes(claimed, handover.outcome)
        except asyncio.CancelledError:
            decision = self._decide(held, handover.outcome, NO_SNOOZES)
            await asyncio.gather(
                self._finish(claimed, handover, decision, is_stopping=True),
                self._gate.give_back(first),
            )
            raise
        decision = self._decide(held, handover.outcome, snoozes)
        if snoozes.in_all_s and decision.transition is FAIL:
            _log_end(claimed, handover)
        await self._finish(claimed, handover, decision)

    async def _snoozes(self, claimed: Claimed, outcome: Outcome | Withheld) -> Snoozes:
        """How long it has been put off by now; where nobody can say, it goes on."""
        if not _puts_off(outcome):
            return NO_SNOOZES
        try:
            return await self._leases.snoozes(claimed.id)
        except NotifierError as error:
            cause = type(error).__name__
            log.warning("delivery.snoozes_unknown", id=str(claimed.id), error=cause)
            return NO_SNOOZES

    def _decide(self, held: Held, outcome: Outcome | Withheld, snoozes: Snoozes) -> Decision:
        policy = self._policy(held.claimed)
        if outcome is STOPPED:
            return Decision(INTERRUPT, 0)
        if outcome is CUT_OFF:
            return interrupted(policy)
        elapsed_s = self._clock.monotonic_s() - held.since_s
        return judge(outcome, held.claimed, policy, elapsed_s, self._random, snoozes)

    def _policy(self, claimed: Claimed) -> RetryPolicy:
        policy = self._policies[claimed.channel]
        return replace(policy, on_unknown=claimed.on_unknown) if claimed.on_unknown else policy

    async def _send(self, held: Held, first: Admission | Barred, handover: Handover) -> None:
        """Ask one provider after another until one took it, or it is for no other to try."""
        async with self._preparer.prepared(held.claimed) as message:
            if isinstance(message, Message):
                await self._offer(message, held, first, handover)
            else:
                handover.outcome = message
                await self._gate.give_back(first)

    async def _offer(
        self, message: Message, held: Held, first: Admission | Barred, handover: Handover
    ) -> None:
        async for admission in self._admissions(held, first):
            if handover.has_answer and isinstance(admission, Barred):
                continue
            await self._ask(admission, message, self._deadline_s(held), handover)
            if not may_fail_over(handover.outcome):
                break

    async def _admissions(
        self, held: Held, first: Admission | Barred
    ) -> AsyncIterator[Admission | Barred]:
        """`first`, then the providers after it, while there is time under the lease.

        None after a shutdown: what is under way ends with what is known by then.
        """
        yield first
        enough_s = min(held.since_s + self._lease.send_timeout_s / 2, self._deadline_s(held))
        providers = list(self._routes[held.claimed.channel])
        for provider in providers[providers.index(first.provider) + 1 :]:
            if self._clock.monotonic_s() >= enough_s:
                return
            try:
                admission = await self._gate.admit(provider, patience_s=FAILOVER_PATIENCE_S)
            except (GateClosedError, NotifierError) as error:
                log.info("failover.ended", id=str(held.claimed.id), reason=type(error).__name__)
                return
            yield admission

    def _deadline_s(self, held: Held) -> float:
        """When all calls must have ended: well before its lease does, and before it expires."""
        expires_in_s = held.claimed.expires_in_s
        limit_s = self._lease.send_timeout_s
        return held.since_s + (limit_s if expires_in_s is None else min(limit_s, expires_in_s))

    async def _ask(
        self,
        admission: Admission | Barred,
        message: Message,
        deadline_s: float,
        handover: Handover,
    ) -> None:
        left_s = deadline_s - self._clock.monotonic_s()
        handover.ask(admission.provider)
        if isinstance(admission, Barred):
            handover.outcome = _barred(admission)
        elif left_s <= 0:
            handover.outcome = _TOO_LATE
            await self._gate.give_back(admission)
        else:
            adapter = self._routes[message.channel][admission.provider]
            handover.outcome = await self._call(adapter, message, left_s)
            about = due_to(message, handover.outcome)
            await self._gate.report(admission, handover.outcome, recipient=about)

    async def _call(self, adapter: ChannelAdapter, message: Message, timeout_s: float) -> Outcome:
        try:
            async with asyncio.timeout(timeout_s):
                return await adapter.send(message)
        except TimeoutError:
            return Unknown("timeout", "the provider did not answer in time")
        except asyncio.CancelledError:
            if is_being_cancelled():
                raise
            return Unknown("crash", "CancelledError")  # a library's own, such as of a lost link
        except Exception as error:  # an adapter's own defect must not end the worker
            log.exception("send.crashed", id=str(message.id))
            return Unknown("crash", type(error).__name__)

    async def _finish(
        self,
        claimed: Claimed,
        handover: Handover,
        decision: Decision,
        *,
        is_stopping: bool = False,
    ) -> None:
        outcome = handover.outcome
        finish = Finish(
            id=claimed.id,
            lease_token=claimed.lease_token,
            attempt=claimed.attempt,
            transition=decision.transition,
            provider=handover.provider,
            provider_id=outcome.provider_id if isinstance(outcome, Sent) else None,
            fault=fault_of(outcome),
            delay_s=decision.delay_s,
            outcome_unknown=isinstance(outcome, Unknown),
            misses=handover.misses,
            suppress_as=_suppression(outcome),
        )
        if is_stopping:
            await self._record_at_last(finish, claimed)
            return
        try:
            await self._record(finish, claimed)
        except asyncio.CancelledError:
            # Where the first time was recorded, the second finds that it was.
            await self._record_at_last(finish, claimed)
            raise

    async def _record_at_last(self, finish: Finish, claimed: Claimed) -> None:
        """Record it as the worker stops, whatever else cancels the caller."""
        recording = asyncio.create_task(self._record(finish, claimed))
        if not await ended_within(recording, self._lease.stop_patience_s):
            _log_unrecorded(finish, "CancelledError")

    async def _record(self, finish: Finish, claimed: Claimed) -> None:
        try:
            is_ours = await self._write(finish)
        except NotifierError as error:
            _log_unrecorded(finish, type(error).__name__)
            return
        log.info("delivery.finished" if is_ours else "delivery.late", **_named(finish))
        if is_ours and finish.transition is FAIL:
            await self._publisher.bury([_dead_letter(claimed)])

    async def _write(self, finish: Finish) -> bool:
        record = partial(
            while_store_is_away,
            patience_s=self._lease.finish_patience_s,
            probe_s=self._lease.probe_s,
        )
        try:
            return await record(partial(self._leases.finish, finish))
        except StoreRefusedError:
            # A provider's words that cannot be stored must not make it send again.
            return await record(partial(self._leases.finish, _without_words(finish)))


def _suppression(outcome: Outcome | Withheld) -> SuppressionReason | None:
    if isinstance(outcome, Permanent) and outcome.suppress:
        return outcome.suppress_as
    return None


def _puts_off(outcome: Outcome | Withheld) -> bool:
    """Whether it puts off for a reason that must come to an end by itself."""
    if isinstance(outcome, Transient):
        return outcome.throttled and outcome.code != PAUSED
    return isinstance(outcome, Systemic)


def _barred(barred: Barred) -> Outcome:
    """Return what it means that a provider could not even be asked."""
    if barred.cause == "broken":
        return Systemic("barred", barred.reason)
    code = PAUSED if barred.cause == "paused" else "barred"
    return Transient(code, barred.reason, barred.retry_after_s, throttled=True)


def _log_end(claimed: Claimed, handover: Handover) -> None:
    fault = fault_of(handover.outcome)
    code = fault and fault.code
    log.error("delivery.given_up", id=str(claimed.id), provider=handover.provider, reason=code)


def _named(finish: Finish) -> Mapping[str, object]:
    return {"id": str(finish.id), "attempt": finish.attempt, "to": finish.transition.name}


def _log_unrecorded(finish: Finish, cause: str) -> None:
    provider_id = finish.provider_id
    log.error("finish.not_recorded", **_named(finish), provider_id=provider_id, error=cause)


def _dead_letter(claimed: Claimed) -> Envelope:
    return Envelope(
        id=claimed.id,
        channel=claimed.channel,
        lane=claimed.lane,
        attempt=claimed.attempt,
        traceparent=claimed.traceparent,
    )


def _without_words(finish: Finish) -> Finish:
    fault = finish.fault and _unreadable(finish.fault)
    misses = tuple(replace(miss, fault=_unreadable(miss.fault)) for miss in finish.misses)
    return replace(finish, provider_id=None, fault=fault, misses=misses)


def _unreadable(fault: Fault) -> Fault:
    return Fault(kind=fault.kind, code="unreadable", message="")
