from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.delivery.judging import Decision, fault_of, interrupted, judge
from notifier.delivery.ports import Claimed, Snoozes
from notifier.delivery.retry import RetryPolicy
from notifier.notification.model import Channel, Lane, OnUnknown, Status
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
from tests.unit.architecture import rows_of

SENT = Sent("id-1")
LATER = Transient("421", "try again later")
LATER_S = Transient("421", "try again later", retry_after_s=500)
THROTTLED = Transient("429", "too many", throttled=True)
THROTTLED_S = Transient("429", "too many", retry_after_s=500, throttled=True)
NEVER = Permanent("550", "no such user")
OURS = Systemic("535", "bad password")
THEIRS_PERHAPS = Systemic("21408", "this country is not enabled", concerns_recipient=True)
MAYBE = Unknown("timeout", "no answer")
OUTCOMES = (SENT, LATER, LATER_S, THROTTLED, THROTTLED_S, NEVER, OURS, MAYBE)
RESEND, HOLD = OnUnknown.RESEND, OnUnknown.HOLD
NEVER_SNOOZED, A_DAY = Snoozes(), Snoozes(count=9, for_s=86_400, in_all_s=86_400)
A_WEEK = Snoozes(in_all_s=604_800)


def a_claimed(*, attempts_spent: int = 1, expires_in_s: float | None = None) -> Claimed:
    return Claimed(
        id=UUID(int=1),
        service="orders",
        channel=Channel.EMAIL,
        lane=Lane.NORMAL,
        recipient="ada@example.org",
        content="Hello",
        subject=None,
        html=None,
        variables=None,
        sensitive=False,
        attempt=attempts_spent,
        attempts_spent=attempts_spent,
        lease_token=uuid4(),
        expires_in_s=expires_in_s,
    )


def judged(
    outcome: Outcome | Withheld,
    on_unknown: OnUnknown = RESEND,
    *,
    attempts_spent: int = 1,
    expires_in_s: float | None = None,
    elapsed_s: float = 0,
    snoozes: Snoozes = NEVER_SNOOZED,
) -> Decision:
    policy = RetryPolicy(
        schedule_s=(10, 60), max_attempts=2, snooze_s=30, jitter=0, on_unknown=on_unknown
    )
    claimed = a_claimed(attempts_spent=attempts_spent, expires_in_s=expires_in_s)
    return judge(outcome, claimed, policy, elapsed_s, lambda: 0.5, snoozes)


# For each outcome and policy: with attempts left, without, and with too little time in both cases.
TABLE: dict[tuple[Outcome, OnUnknown], tuple[Decision, Decision, Transition, Transition]] = {
    (SENT, RESEND): (Decision(SUCCEED), Decision(SUCCEED), SUCCEED, SUCCEED),
    (SENT, HOLD): (Decision(SUCCEED), Decision(SUCCEED), SUCCEED, SUCCEED),
    (LATER, RESEND): (Decision(RETRY, 10), Decision(FAIL), EXPIRE, FAIL),
    (LATER, HOLD): (Decision(RETRY, 10), Decision(FAIL), EXPIRE, FAIL),
    (LATER_S, RESEND): (Decision(RETRY, 500), Decision(FAIL), EXPIRE, FAIL),
    (LATER_S, HOLD): (Decision(RETRY, 500), Decision(FAIL), EXPIRE, FAIL),
    (THROTTLED, RESEND): (Decision(SNOOZE, 30), Decision(SNOOZE, 30), EXPIRE, EXPIRE),
    (THROTTLED, HOLD): (Decision(SNOOZE, 30), Decision(SNOOZE, 30), EXPIRE, EXPIRE),
    (THROTTLED_S, RESEND): (Decision(SNOOZE, 500), Decision(SNOOZE, 500), EXPIRE, EXPIRE),
    (THROTTLED_S, HOLD): (Decision(SNOOZE, 500), Decision(SNOOZE, 500), EXPIRE, EXPIRE),
    (NEVER, RESEND): (Decision(FAIL), Decision(FAIL), FAIL, FAIL),
    (NEVER, HOLD): (Decision(FAIL), Decision(FAIL), FAIL, FAIL),
    (OURS, RESEND): (Decision(SNOOZE, 30), Decision(SNOOZE, 30), EXPIRE, EXPIRE),
    (OURS, HOLD): (Decision(SNOOZE, 30), Decision(SNOOZE, 30), EXPIRE, EXPIRE),
    (MAYBE, RESEND): (Decision(RETRY, 10), Decision(FAIL), EXPIRE, FAIL),
    (MAYBE, HOLD): (Decision(FAIL), Decision(FAIL), FAIL, FAIL),
}


def test_the_table_holds_every_outcome_and_policy() -> None:
    assert set(TABLE) == {(outcome, policy) for outcome in OUTCOMES for policy in OnUnknown}


@pytest.mark.parametrize(("outcome", "on_unknown"), TABLE)
def test_an_outcome_means_what_the_table_says(outcome: Outcome, on_unknown: OnUnknown) -> None:
    in_time, at_last, late, late_at_last = TABLE[outcome, on_unknown]

    for expires_in_s in (None, 501):
        assert judged(outcome, on_unknown, expires_in_s=expires_in_s) == in_time
        last = judged(outcome, on_unknown, attempts_spent=2, expires_in_s=expires_in_s)
        assert last == at_last
    assert judged(outcome, on_unknown, expires_in_s=5).transition is late
    last = judged(outcome, on_unknown, attempts_spent=2, expires_in_s=5)
    assert last.transition is late_at_last


DOCUMENTED: dict[str, tuple[Outcome, OnUnknown, Snoozes]] = {
    "sent": (SENT, RESEND, NEVER_SNOOZED),
    "transient": (LATER, RESEND, NEVER_SNOOZED),
    "transient, throttled": (THROTTLED, RESEND, NEVER_SNOOZED),
    "transient, throttled, for a week already": (THROTTLED, RESEND, A_WEEK),
    "permanent": (NEVER, RESEND, NEVER_SNOOZED),
    "systemic": (OURS, RESEND, NEVER_SNOOZED),
    "systemic, for a day already": (OURS, RESEND, A_DAY),
    "unknown, the channel resends": (MAYBE, RESEND, NEVER_SNOOZED),
    "unknown, the channel holds": (MAYBE, HOLD, NEVER_SNOOZED),
}


def test_the_documented_table_is_what_is_judged() -> None:
    told = {answer: names for answer, *names in rows_of("The provider's answer")}

    assert told == {
        answer: [
            judged(outcome, on_unknown, snoozes=snoozes).transition.name,
            judged(outcome, on_unknown, snoozes=snoozes, attempts_spent=2).transition.name,
            judged(outcome, on_unknown, snoozes=snoozes, expires_in_s=5).transition.name,
        ]
        for answer, (outcome, on_unknown, snoozes) in DOCUMENTED.items()
    }


@pytest.mark.parametrize("outcome", [OURS, THEIRS_PERHAPS])
def test_what_waits_for_a_systemic_reason_fails_once_its_time_is_over(outcome: Outcome) -> None:
    almost = Snoozes(count=9, for_s=86_399)

    assert judged(outcome, snoozes=almost).transition is SNOOZE
    assert judged(outcome, snoozes=A_DAY) == Decision(FAIL)


def test_a_throttled_one_is_put_off_for_a_week() -> None:
    assert judged(THROTTLED, snoozes=A_DAY) == Decision(SNOOZE, 30)
    assert judged(THROTTLED, snoozes=Snoozes(in_all_s=604_799)) == Decision(SNOOZE, 30)
    assert judged(THROTTLED, snoozes=A_WEEK) == Decision(FAIL)


def test_a_refusal_that_may_be_the_recipients_is_asked_about_ever_more_rarely() -> None:
    delays = [
        judged(THEIRS_PERHAPS, snoozes=Snoozes(count=count, for_s=1)).delay_s
        for count in (0, 1, 2, 6, 7, 1_000)
    ]

    assert delays == [30, 60, 120, 1_920, 3_600, 3_600]
    assert judged(OURS, snoozes=Snoozes(count=1_000, for_s=1)) == Decision(SNOOZE, 30)


def test_what_its_recipient_does_not_want_is_suppressed_whatever_it_has_left() -> None:
    unwanted = Suppressed("choice", "newsletter is switched off")

    for expires_in_s in (None, 5, -1):
        assert judged(unwanted, attempts_spent=9, expires_in_s=expires_in_s) == Decision(SUPPRESS)
    assert fault_of(unwanted) == Fault(
        kind="suppressed", code="choice", message="newsletter is switched off"
    )


def test_what_comes_in_quiet_hours_waits_for_their_end_and_expires_if_it_cannot() -> None:
    quiet = Deferred("quiet_hours", "its recipient's quiet hours", delay_s=30)

    assert judged(quiet, attempts_spent=9) == Decision(DEFER, 30)
    assert judged(quiet, expires_in_s=31) == Decision(DEFER, 30)
    assert judged(quiet, expires_in_s=30) == Decision(EXPIRE)


def test_the_second_delay_is_the_schedules_second_step() -> None:
    policy = RetryPolicy(schedule_s=(10, 60), max_attempts=9, jitter=0)

    verdict = judge(LATER, a_claimed(attempts_spent=2), policy, 0, lambda: 0.5)

    assert verdict == Decision(RETRY, 60)


def test_the_time_since_the_claim_is_no_longer_left() -> None:
    assert judged(LATER, expires_in_s=20, elapsed_s=9) == Decision(RETRY, 10)
    assert judged(LATER, expires_in_s=20, elapsed_s=10) == Decision(EXPIRE)


@given(
    outcome=st.sampled_from(OUTCOMES),
    policy=st.builds(
        RetryPolicy,
        schedule_s=st.lists(st.floats(0.1, 1e6), min_size=1, max_size=5).map(tuple),
        max_attempts=st.integers(1, 5),
        jitter=st.floats(0, 1),
        snooze_s=st.floats(0.1, 1e6),
        on_unknown=st.sampled_from(OnUnknown),
    ),
    attempts_spent=st.integers(1, 6),
    expires_in_s=st.none() | st.floats(-1e6, 1e6),
    elapsed_s=st.floats(0, 1e6),
    fraction=st.floats(0, 1, exclude_max=True),
)
def test_whatever_is_judged_goes_on_in_time_or_ends(
    outcome: Outcome,
    policy: RetryPolicy,
    attempts_spent: int,
    expires_in_s: float | None,
    elapsed_s: float,
    fraction: float,
) -> None:
    claimed = a_claimed(attempts_spent=attempts_spent, expires_in_s=expires_in_s)

    verdict = judge(outcome, claimed, policy, elapsed_s, lambda: fraction)

    assert Status.PROCESSING in verdict.transition.sources
    assert (verdict.delay_s is not None) == (verdict.transition.target is Status.PENDING)
    if verdict.delay_s is not None:
        assert verdict.delay_s >= 0
        assert expires_in_s is None or elapsed_s + verdict.delay_s < expires_in_s
    if verdict.transition is RETRY:
        assert attempts_spent < policy.max_attempts
    if verdict.transition is SNOOZE:
        assert isinstance(outcome, Systemic | Transient)


def test_an_interruption_costs_no_attempt_unless_the_channel_holds() -> None:
    assert interrupted(RetryPolicy(on_unknown=RESEND)) == Decision(INTERRUPT, 0)
    assert interrupted(RetryPolicy(on_unknown=HOLD)) == Decision(FAIL)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_fault_is_the_outcomes_class_code_and_words(outcome: Outcome) -> None:
    fault = fault_of(outcome)

    if isinstance(outcome, Sent):
        assert fault is None
    else:
        assert fault is not None
        assert fault.kind in ("transient", "permanent", "systemic", "unknown")
        assert (fault.code, fault.message) == (outcome.code, outcome.message)
