"""Delivering one notification: claim -> render -> send -> finish."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import TypeVar, assert_never
from uuid import UUID

import structlog
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from notifier.content.filling import fill_html, fill_text
from notifier.delivery.retry import RetryPolicy
from notifier.errors import (
    NotifierError,
    StoreRefusedError,
    StoreUnavailableError,
    TemplateError,
)
from notifier.intake.publishing import Publisher
from notifier.notification.model import (
    EXPIRE,
    FAIL,
    INTERRUPT,
    PAUSED,
    RETRY,
    SNOOZE,
    SUCCEED,
    Channel,
    Claimed,
    Envelope,
    Fault,
    Finish,
    Message,
    Miss,
    OnUnknown,
    Outcome,
    Permanent,
    Sent,
    Settlement,
    Snoozes,
    SuppressionReason,
    Systemic,
    Transient,
    Transition,
    Unknown,
)
from notifier.ports import ChannelAdapter, Clock, DeliveryStore, NotFound
from notifier.providers.gate import Admission, Barred, Gate, GateClosedError

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")

MAX_RENDERED_CHARS = 1_000_000
FAILOVER_PATIENCE_S = 1

NO_SNOOZES = Snoozes()

_STOPPED = Transient("interrupted", "the worker was shut down before the call")
_CUT_OFF = Unknown("interrupted", "the worker was shut down during the call")
_TOO_LATE = Transient("too_late", "there was no time left for the call", throttled=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """How long a worker may hold a notification, and its database calls.

    `send_timeout_s` ends well before `duration_s`. A worker that cannot reach the database to
    claim keeps its message until it is told to let go, asking again at least every `probe_s`.
    What it sent it tries to record as often, for `finish_patience_s`: while the database is away
    nobody rescues, and who comes first when it is back saves a duplicate. Once told to stop it
    tries for `stop_patience_s` more.
    """

    held_by: str
    duration_s: float = 60
    send_timeout_s: float = 40
    probe_s: float = 1
    finish_patience_s: float = 300
    stop_patience_s: float = 10


@dataclass(frozen=True, slots=True)
class Held:
    """What was claimed, and when the claim was asked for: all its times run from then on."""

    claimed: Claimed
    since_s: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an outcome means for its notification."""

    transition: Transition
    delay_s: float | None = None


@dataclass(slots=True)
class Handover:
    """What to record if the attempt ends now, however it does.

    The provider that was asked last, what came of it, and those missed before.
    """

    provider: str
    outcome: Outcome = _STOPPED
    misses: tuple[Miss, ...] = ()

    @property
    def has_answer(self) -> bool:
        """Whether some provider was asked, or found barred."""
        return self.outcome is not _STOPPED

    def ask(self, provider: str) -> None:
        """Go on to a provider: until it answers it may have taken the notification."""
        if self.has_answer:
            self.misses += (_miss(self),)
        self.provider, self.outcome = provider, _CUT_OFF


class Deliverer:
    """Moves one notification from its envelope to the end of an attempt."""

    def __init__(
        self,
        *,
        store: DeliveryStore,
        publisher: Publisher,
        routes: Mapping[Channel, Sequence[ChannelAdapter]],
        gate: Gate,
        policies: Mapping[Channel, RetryPolicy],
        lease: Lease,
        clock: Clock,
        random: Callable[[], float],
        new_token: Callable[[], UUID],
    ) -> None:
        self._store = store
        self._publisher = publisher
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
        return _unclaimed(envelope, held)

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

    async def _claim(self, envelope: Envelope) -> Held | NotFound | None:
        claim = partial(self._claim_once, envelope, self._new_token())
        return await _while_store_is_away(claim, probe_s=self._lease.probe_s, closing=self._closing)

    async def _claim_once(self, envelope: Envelope, token: UUID) -> Held | NotFound | None:
        """Claim; cancelled meanwhile, give back what was claimed all the same."""
        since_s = self._clock.monotonic_s()
        claim = partial(
            self._store.claim,
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

    async def _give_back(self, claim: Callable[[], Awaitable[Claimed | NotFound | None]]) -> None:
        """Interrupt what a claim took whose answer never came: made again, it has the same."""
        with suppress(NotifierError):
            if isinstance(claimed := await claim(), Claimed):
                unasked = Handover(next(iter(self._routes[claimed.channel])))
                await self._finish(claimed, unasked, Verdict(INTERRUPT, 0), is_stopping=True)

    async def _attempt(self, held: Held, first: Admission | Barred) -> None:
        claimed = held.claimed
        handover = Handover(first.provider)
        try:
            await self._send(held, first, handover)
            snoozes = await self._snoozes(claimed, handover.outcome)
        except asyncio.CancelledError:
            verdict = self._verdict(held, handover.outcome, NO_SNOOZES)
            await asyncio.gather(
                self._finish(claimed, handover, verdict, is_stopping=True),
                self._gate.give_back(first),
            )
            raise
        verdict = self._verdict(held, handover.outcome, snoozes)
        if snoozes.in_all_s and verdict.transition is FAIL:
            _log_end(claimed, handover)
        await self._finish(claimed, handover, verdict)

    async def _snoozes(self, claimed: Claimed, outcome: Outcome) -> Snoozes:
        """How long it has been put off by now; where nobody can say, it goes on."""
        if not _puts_off(outcome):
            return NO_SNOOZES
        try:
            return await self._store.snoozes(claimed.id)
        except NotifierError as error:
            cause = type(error).__name__
            log.warning("delivery.snoozes_unknown", id=str(claimed.id), error=cause)
            return NO_SNOOZES

    def _verdict(self, held: Held, outcome: Outcome, snoozes: Snoozes) -> Verdict:
        policy = self._policy(held.claimed)
        if outcome is _STOPPED:
            return Verdict(INTERRUPT, 0)
        if outcome is _CUT_OFF:
            return interrupted(policy)
        elapsed_s = self._clock.monotonic_s() - held.since_s
        return judge(outcome, held.claimed, policy, elapsed_s, self._random, snoozes)

    def _policy(self, claimed: Claimed) -> RetryPolicy:
        policy = self._policies[claimed.channel]
        return replace(policy, on_unknown=claimed.on_unknown) if claimed.on_unknown else policy

    async def _send(self, held: Held, first: Admission | Barred, handover: Handover) -> None:
        """Ask one provider after another until one took it, or it is for no other to try."""
        try:
            message = render(held.claimed)
        except TemplateError as error:
            handover.outcome = Permanent("template", str(error))
            await self._gate.give_back(first)
            return
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
            await self._gate.report(admission, handover.outcome, recipient=message.recipient)

    async def _call(self, adapter: ChannelAdapter, message: Message, timeout_s: float) -> Outcome:
        try:
            async with asyncio.timeout(timeout_s):
                return await adapter.send(message)
        except TimeoutError:
            return Unknown("timeout", "the provider did not answer in time")
        except asyncio.CancelledError:
            if _is_being_cancelled():
                raise
            return Unknown("crash", "CancelledError")  # a library's own, such as of a lost link
        except Exception as error:  # an adapter's own defect must not end the worker
            log.exception("send.crashed", id=str(message.id))
            return Unknown("crash", type(error).__name__)

    async def _finish(
        self,
        claimed: Claimed,
        handover: Handover,
        verdict: Verdict,
        *,
        is_stopping: bool = False,
    ) -> None:
        outcome = handover.outcome
        finish = Finish(
            id=claimed.id,
            lease_token=claimed.lease_token,
            attempt=claimed.attempt,
            transition=verdict.transition,
            provider=handover.provider,
            provider_id=outcome.provider_id if isinstance(outcome, Sent) else None,
            fault=fault_of(outcome),
            delay_s=verdict.delay_s,
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
        if not await _ended(recording, self._lease.stop_patience_s):
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
            _while_store_is_away,
            patience_s=self._lease.finish_patience_s,
            probe_s=self._lease.probe_s,
        )
        try:
            return await record(partial(self._store.finish, finish))
        except StoreRefusedError:
            # A provider's words that cannot be stored must not make it send again.
            return await record(partial(self._store.finish, _without_words(finish)))


def render(claimed: Claimed) -> Message:
    """Fill the templates of a claimed notification; raises TemplateError."""
    variables = claimed.variables or {}
    subject = claimed.subject and fill_text(
        claimed.subject, variables, max_chars=MAX_RENDERED_CHARS
    )
    html = claimed.html and fill_html(claimed.html, variables, max_chars=MAX_RENDERED_CHARS)
    return Message(
        id=claimed.id,
        service=claimed.service,
        channel=claimed.channel,
        recipient=claimed.recipient,
        subject=subject,
        text=fill_text(claimed.content, variables, max_chars=MAX_RENDERED_CHARS),
        html=html,
        sensitive=claimed.sensitive,
        attempt=claimed.attempt,
        metadata=claimed.metadata,
    )


def judge(
    outcome: Outcome,
    claimed: Claimed,
    policy: RetryPolicy,
    elapsed_s: float,
    random: Callable[[], float],
    snoozes: Snoozes = NO_SNOOZES,
) -> Verdict:
    """Say what `outcome` means, `elapsed_s` after the claim: the table of outcomes."""
    remaining_s = None if claimed.expires_in_s is None else claimed.expires_in_s - elapsed_s
    match outcome:
        case Sent():
            return Verdict(SUCCEED)
        case Permanent():
            return Verdict(FAIL)
        case Systemic() | Transient(throttled=True):
            delay_s = _put_off_s(outcome, policy, random, snoozes)
            return Verdict(FAIL) if delay_s is None else _back(SNOOZE, delay_s, remaining_s)
        case Transient() | Unknown():
            if not _may_try_again(outcome, claimed, policy):
                return Verdict(FAIL)
            delay_s = _delay_s(outcome, claimed.attempts_spent, policy, random)
            return _back(RETRY, delay_s, remaining_s)
        case _:
            assert_never(outcome)


def may_fail_over(outcome: Outcome) -> bool:
    """Whether the next provider may be asked: only where this one surely did not take it."""
    match outcome:
        case Systemic() | Transient():
            return True
        case Sent() | Permanent() | Unknown():
            return False
        case _:
            assert_never(outcome)


def interrupted(policy: RetryPolicy) -> Verdict:
    """Say what becomes of a notification whose provider call a shutdown cut off."""
    return Verdict(FAIL) if policy.on_unknown is OnUnknown.HOLD else Verdict(INTERRUPT, 0)


def fault_of(outcome: Outcome) -> Fault | None:
    """The fault to record for `outcome`; None where it was sent."""
    if isinstance(outcome, Sent):
        return None
    return Fault(kind=type(outcome).__name__.lower(), code=outcome.code, message=outcome.message)


def _unclaimed(envelope: Envelope, why: NotFound | None) -> Settlement:
    """What becomes of a message that there is nothing to do for.

    One that names what the database does not know may be all that is left of it.
    """
    if why is None:
        log.info("delivery.skipped", id=str(envelope.id), attempt=envelope.attempt)
        return Settlement.ACK
    log.error("delivery.unknown", id=str(envelope.id), attempt=envelope.attempt)
    return Settlement.BURY


def _suppression(outcome: Outcome) -> SuppressionReason | None:
    if isinstance(outcome, Permanent) and outcome.suppress:
        return outcome.suppress_as
    return None


def _put_off_s(
    outcome: Systemic | Transient, policy: RetryPolicy, random: Callable[[], float], past: Snoozes
) -> float | None:
    """Seconds to put off what its provider is to blame for; None once that took too long."""
    if isinstance(outcome, Transient):
        is_over = past.in_all_s >= policy.throttle_limit_s
        return None if is_over else policy.snooze_delay_s(random, outcome.retry_after_s)
    if past.for_s >= policy.snooze_limit_s:
        return None
    return policy.put_off_s(random, past.count if outcome.concerns_recipient else 0)


def _puts_off(outcome: Outcome) -> bool:
    """Whether it puts off for a reason that must come to an end by itself."""
    if isinstance(outcome, Transient):
        return outcome.throttled and outcome.code != PAUSED
    return isinstance(outcome, Systemic)


def _may_try_again(outcome: Transient | Unknown, claimed: Claimed, policy: RetryPolicy) -> bool:
    if isinstance(outcome, Unknown) and policy.on_unknown is OnUnknown.HOLD:
        return False
    return policy.has_attempts_left(claimed.attempts_spent)


def _delay_s(
    outcome: Transient | Unknown, spent: int, policy: RetryPolicy, random: Callable[[], float]
) -> float:
    if isinstance(outcome, Unknown):
        return policy.doubt_delay_s(spent, random)
    return policy.delay_s(spent, random, outcome.retry_after_s)


def _barred(barred: Barred) -> Outcome:
    """Return what it means that a provider could not even be asked."""
    if barred.cause == "broken":
        return Systemic("barred", barred.reason)
    code = PAUSED if barred.cause == "paused" else "barred"
    return Transient(code, barred.reason, barred.retry_after_s, throttled=True)


def _miss(handover: Handover) -> Miss:
    fault = fault_of(handover.outcome)
    assert fault is not None  # noqa: S101  what was sent is not missed
    return Miss(provider=handover.provider, fault=fault)


def _back(transition: Transition, delay_s: float, remaining_s: float | None) -> Verdict:
    """Back to pending, unless its time runs out before it would come up again."""
    if remaining_s is not None and delay_s >= remaining_s:
        return Verdict(EXPIRE)
    return Verdict(transition, delay_s)


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
    fault = finish.fault and Fault(kind=finish.fault.kind, code="unreadable", message="")
    return replace(finish, provider_id=None, fault=fault)


async def _ended(task: asyncio.Task[None], within_s: float) -> bool:
    """Wait until it has ended, and end it after that time; returns whether it did by itself."""
    _, late = await asyncio.wait({task}, timeout=within_s)
    for each in late:
        each.cancel()
        await asyncio.wait({each})
    return not late


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _while_store_is_away(
    call: Callable[[], Awaitable[Answer]],
    *,
    probe_s: float,
    patience_s: float = inf,
    closing: asyncio.Event | None = None,
) -> Answer:
    """Make `call`, again and again while the store is away, until patience ends or `closing`."""
    ended = closing or asyncio.Event()
    try:
        return await call()
    except StoreUnavailableError:
        if ended.is_set():
            raise
        return await _retrying(patience_s, probe_s, ended)(call)


def _retrying(patience_s: float, probe_s: float, ended: asyncio.Event) -> AsyncRetrying:
    is_over = stop_after_delay(patience_s)

    async def pause(delay_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await ended.wait()

    return AsyncRetrying(
        retry=retry_if_exception_type(StoreUnavailableError),
        wait=wait_random_exponential(multiplier=0.5, max=probe_s),
        stop=lambda state: ended.is_set() or is_over(state),
        sleep=pause,
        reraise=True,
    )
