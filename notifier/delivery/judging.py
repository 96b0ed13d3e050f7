"""What an outcome means for its notification: the table of outcomes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from notifier.delivery.ports import Claimed, Snoozes
from notifier.delivery.retry import RetryPolicy
from notifier.notification.model import Message, OnUnknown
from notifier.notification.outcomes import (
    Deferred,
    Fault,
    Outcome,
    Permanent,
    Sent,
    Suppressed,
    Systemic,
    Transient,
    Unknown,
    Withheld,
)
from notifier.notification.transitions import (
    DEFER,
    EXPIRE,
    FAIL,
    INTERRUPT,
    RETRY,
    SNOOZE,
    SUCCEED,
    SUPPRESS,
    Transition,
)

NO_SNOOZES = Snoozes()


@dataclass(frozen=True, slots=True)
class Decision:
    """What an outcome means for its notification."""

    transition: Transition
    delay_s: float | None = None


def judge(
    outcome: Outcome | Withheld,
    claimed: Claimed,
    policy: RetryPolicy,
    elapsed_s: float,
    random: Callable[[], float],
    snoozes: Snoozes = NO_SNOOZES,
) -> Decision:
    """Say what `outcome` means, `elapsed_s` after the claim: the table of outcomes."""
    remaining_s = None if claimed.expires_in_s is None else claimed.expires_in_s - elapsed_s
    match outcome:
        case Sent():
            return Decision(SUCCEED)
        case Permanent():
            return Decision(FAIL)
        case Suppressed():
            return Decision(SUPPRESS)
        case Deferred():
            return _back(DEFER, outcome.delay_s, remaining_s)
        case Systemic() | Transient(throttled=True):
            delay_s = _put_off_s(outcome, policy, random, snoozes)
            return Decision(FAIL) if delay_s is None else _back(SNOOZE, delay_s, remaining_s)
        case Transient() | Unknown():
            if not _may_try_again(outcome, claimed, policy):
                return Decision(FAIL)
            delay_s = _delay_s(outcome, claimed.attempts_spent, policy, random)
            return _back(RETRY, delay_s, remaining_s)
        case _:
            assert_never(outcome)


def due_to(message: Message, outcome: Outcome) -> str:
    """Whom an outcome may be due to: one sender that is refused says nothing about others."""
    if isinstance(outcome, Systemic) and outcome.concerns_sender and message.mail:
        return f"sender {message.mail.sender}"
    return message.recipient


def may_fail_over(outcome: Outcome | Withheld) -> bool:
    """Whether the next provider may be asked: only where this one surely did not take it."""
    match outcome:
        case Systemic() | Transient():
            return True
        case Sent() | Permanent() | Unknown() | Suppressed() | Deferred():
            return False
        case _:
            assert_never(outcome)


def interrupted(policy: RetryPolicy) -> Decision:
    """Say what becomes of a notification whose provider call a shutdown cut off."""
    return Decision(FAIL) if policy.on_unknown is OnUnknown.HOLD else Decision(INTERRUPT, 0)


def fault_of(outcome: Outcome | Withheld) -> Fault | None:
    """The fault to record for `outcome`; None where it was sent."""
    if isinstance(outcome, Sent):
        return None
    return Fault(kind=type(outcome).__name__.lower(), code=outcome.code, message=outcome.message)


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


def _back(transition: Transition, delay_s: float, remaining_s: float | None) -> Decision:
    """Back to pending, unless its time runs out before it would come up again."""
    if remaining_s is not None and delay_s >= remaining_s:
        return Decision(EXPIRE)
    return Decision(transition, delay_s)
