import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.delivery.retry import RetryPolicy

FRACTIONS = st.floats(0, 1, exclude_max=True)
WISHES = st.floats() | st.just(math.nan)
SCHEDULES = st.lists(st.floats(0.1, 100_000), min_size=1, max_size=10).map(tuple)


def middle() -> float:
    return 0.5


@pytest.mark.parametrize(
    ("attempts_spent", "delay_s"),
    [(0, 10), (1, 10), (2, 60), (3, 300), (7, 36_000), (8, 36_000), (1_000, 36_000)],
)
def test_the_delay_follows_the_schedule_and_its_last_step_repeats(
    attempts_spent: int, delay_s: float
) -> None:
    assert RetryPolicy().delay_s(attempts_spent, middle) == delay_s


@given(SCHEDULES, st.integers(0, 20), FRACTIONS, st.floats(0, 1))
def test_jitter_keeps_a_delay_near_its_step(
    schedule_s: tuple[float, ...], attempts_spent: int, fraction: float, jitter: float
) -> None:
    policy = RetryPolicy(schedule_s=schedule_s, jitter=jitter)
    step_s = policy.delay_s(attempts_spent, middle)

    delay_s = policy.delay_s(attempts_spent, lambda: fraction)

    assert step_s in schedule_s
    assert step_s * (1 - jitter) * 0.999 <= delay_s <= step_s * (1 + jitter) * 1.001


@given(st.integers(0, 20), FRACTIONS, st.floats(1, 86_400))
def test_a_providers_wish_wins_and_is_never_shortened(
    attempts_spent: int, fraction: float, wish_s: float
) -> None:
    policy = RetryPolicy()

    delay_s = policy.delay_s(attempts_spent, lambda: fraction, wish_s)

    assert wish_s <= delay_s <= wish_s * 1.2
    assert policy.snooze_delay_s(lambda: fraction, wish_s) == delay_s


@given(FRACTIONS, WISHES)
def test_no_wish_puts_an_attempt_off_for_ever_or_makes_it_due_at_once(
    fraction: float, wish_s: float
) -> None:
    policy = RetryPolicy()

    for delay_s in (
        policy.delay_s(1, lambda: fraction, wish_s),
        policy.snooze_delay_s(lambda: fraction, wish_s),
    ):
        assert 1 <= delay_s <= policy.max_retry_after_s * (1 + policy.jitter)


@given(FRACTIONS)
def test_a_snooze_is_never_shorter_than_set(fraction: float) -> None:
    assert 60 <= RetryPolicy(snooze_s=60).snooze_delay_s(lambda: fraction) <= 72


@given(st.integers(1, 20), st.integers(0, 30))
def test_attempts_are_left_until_as_many_as_allowed_were_spent(allowed: int, spent: int) -> None:
    assert RetryPolicy(max_attempts=allowed).has_attempts_left(spent) == (spent < allowed)


def test_what_may_have_been_taken_waits_for_the_providers_word() -> None:
    policy = RetryPolicy(schedule_s=(10, 120), unknown_wait_s=60)

    assert policy.doubt_delay_s(1, lambda: 0.5) == 60
    assert policy.doubt_delay_s(2, lambda: 0.5) == 120
