"""What counts as evidence against a provider, compared with a plain reading of the rules."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.notification.outcomes import Outcome, Permanent, Sent, Systemic, Transient, Unknown
from notifier.providers.breaker import BreakerSettings, Evidence

SENT = Sent("id-1")
WRONG_KEY = Systemic("401", "the key was refused")
NOT_ENABLED = Systemic("21408", "this country is not enabled", concerns_recipient=True)
NOT_REACHED = Transient("connection_refused", "not sent")
GREYLISTED = Transient("450", "greylisted", concerns_recipient=True)
NO_SUCH_USER = Permanent("550", "no such user")
NO_ANSWER = Unknown("timeout", "no answer")

NOT_NOW = Transient("451", "mailbox host is down", about_one=True)
ABOUT_A_RECIPIENT = (SENT, NOT_ENABLED, GREYLISTED, NO_SUCH_USER, NO_ANSWER, NOT_NOW)
OUTCOMES = (*ABOUT_A_RECIPIENT, WRONG_KEY, NOT_REACHED)
SETTINGS = BreakerSettings(min_calls=6, window_s=30)


@dataclass(frozen=True, slots=True)
class Seen:
    outcome: Outcome
    recipient: int
    at_s: float


def calls(outcomes: tuple[Outcome, ...], recipients: int) -> st.SearchStrategy[list[Seen]]:
    """Calls in the order of their time."""
    call = st.tuples(
        st.sampled_from(outcomes), st.integers(1, recipients), st.sampled_from([0.0, 1.0, 40.0])
    )

    def timed(drawn: list[tuple[Outcome, int, float]]) -> list[Seen]:
        at_s, seen = 0.0, []
        for outcome, recipient, later_s in drawn:
            at_s += later_s
            seen.append(Seen(outcome, recipient, at_s))
        return seen

    return st.lists(call, max_size=60).map(timed)


def opens(seen: list[Seen], since: int) -> bool:
    """Whether the last of `seen` opens the breaker; the last trip was `since` calls from its start.

    A plain reading of the rules, over everything that ever happened.
    """
    last = seen[-1]
    lately = [each for each in seen[since:] if each.at_s >= last.at_s - SETTINGS.window_s]
    worked = [each for each in lately if each.outcome in (SENT, GREYLISTED, NO_SUCH_USER)]
    if last.outcome == WRONG_KEY:
        return [each.outcome for each in seen[since:]][-3:] == [WRONG_KEY] * 3
    if last.outcome == NOT_ENABLED:
        sent = [n for n, each in enumerate(seen) if each.outcome == SENT]
        after = seen[sent[-1] :] if sent else seen
        refused = {each.recipient for each in after if each.outcome == NOT_ENABLED}
        return len(refused) >= max(SETTINGS.recipients, len(worked))
    if last.outcome in (NOT_REACHED, NO_ANSWER, NOT_NOW):
        doubted = {each.recipient for each in lately if each.outcome in (NO_ANSWER, NOT_NOW)}
        failed = [each for each in lately if each.outcome == NOT_REACHED]
        bad = len(failed) + (len(doubted) if len(doubted) >= SETTINGS.recipients else 0)
        total = len(worked) + bad
        return total >= SETTINGS.min_calls and bad >= total * SETTINGS.failure_ratio
    return False


@given(calls(OUTCOMES, recipients=5))
def test_a_breaker_opens_when_the_rules_say_so(seen: list[Seen]) -> None:
    evidence, since = Evidence(SETTINGS), 0

    for count, each in enumerate(seen, start=1):
        trips = evidence.trips(each.outcome, each.recipient, each.at_s)

        assert trips == opens(seen[:count], since)
        if trips:
            evidence.has_opened()
            since = count


@given(calls(ABOUT_A_RECIPIENT, recipients=2), st.integers(1, 20))
def test_nothing_that_is_said_about_one_or_two_recipients_opens_a_breaker(
    seen: list[Seen], min_calls: int
) -> None:
    evidence = Evidence(BreakerSettings(min_calls=min_calls))

    assert not any(evidence.trips(each.outcome, each.recipient, each.at_s) for each in seen)


@given(calls((SENT, GREYLISTED, NO_SUCH_USER), recipients=60))
def test_what_is_about_its_recipient_alone_never_opens_a_breaker(seen: list[Seen]) -> None:
    evidence = Evidence(BreakerSettings(min_calls=1, recipients=1, systemic_in_a_row=1))

    assert not any(evidence.trips(each.outcome, each.recipient, each.at_s) for each in seen)


def test_as_many_recipients_as_were_served_lately_have_to_be_refused() -> None:
    evidence = Evidence(SETTINGS)
    for recipient in range(50):
        evidence.trips(SENT, recipient, 0)

    opened = [evidence.trips(NOT_ENABLED, recipient, 1) for recipient in range(100, 150)]

    assert opened == [False] * 49 + [True]


def test_what_was_served_long_ago_asks_for_no_more_evidence() -> None:
    evidence = Evidence(SETTINGS)
    for recipient in range(50):
        evidence.trips(SENT, recipient, 0)

    opened = [evidence.trips(NOT_ENABLED, recipient, 31) for recipient in range(3)]

    assert opened == [False, False, True]


def test_the_evidence_stays_small_however_many_are_refused() -> None:
    evidence = Evidence(SETTINGS)

    for recipient in range(3_000):
        evidence.trips(NOT_ENABLED, recipient, 0)

    assert not evidence.holds(0)
    assert sum(evidence.holds(recipient) for recipient in range(3_000)) == 1_000


@pytest.mark.parametrize(("trips", "open_s"), [(0, 30), (1, 60), (4, 480), (5, 600), (10_000, 600)])
def test_each_trip_doubles_the_time_up_to_a_limit(trips: int, open_s: float) -> None:
    assert BreakerSettings().open_s(trips) == open_s
