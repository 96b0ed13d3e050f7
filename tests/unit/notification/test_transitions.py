import re
from itertools import chain

import pytest

from notifier.notification.model import Status
from notifier.notification.transitions import (
    CLAIM,
    DEFER,
    INTERRUPT,
    REPLAY,
    SETTLE,
    SNOOZE,
    TRANSITIONS,
    Transition,
)
from tests.unit.architecture import rows_of, states_section

FINAL = {
    Status.SENT,
    Status.DELIVERED,
    Status.BOUNCED,
    Status.FAILED,
    Status.EXPIRED,
    Status.CANCELLED,
    Status.SUPPRESSED,
}


def edges_of(transition: Transition) -> set[tuple[str, str, str]]:
    target = transition.target.value
    return {(source.value, target, transition.name) for source in transition.sources}


def test_the_picture_shows_every_transition_and_no_other() -> None:
    drawn = re.findall(r"^ +(\w+) --> (\w+): (\w+)$", states_section(), re.MULTILINE)

    assert len(drawn) == len(set(drawn))
    assert set(drawn) == set(chain.from_iterable(map(edges_of, TRANSITIONS)))


def test_the_picture_ends_where_no_transition_starts() -> None:
    ends = re.findall(r"^ +(\w+) --> \[\*\]$", states_section(), re.MULTILINE)

    sources = set(chain.from_iterable(transition.sources for transition in TRANSITIONS))
    assert set(ends) == {status.value for status in Status if status not in sources}


def test_the_table_says_what_each_transition_adds_to_the_attempts() -> None:
    told = {name: int(attempts) for name, attempts, _ in rows_of("Transition")}

    assert told == {transition.name: transition.counts_attempt for transition in TRANSITIONS}


def test_every_transition_has_a_name_of_its_own() -> None:
    assert len({transition.name for transition in TRANSITIONS}) == len(TRANSITIONS)


def test_every_state_can_be_reached() -> None:
    reached = {Status.PENDING}
    for _ in Status:
        reached |= {t.target for t in TRANSITIONS if t.sources & reached}

    assert reached == set(Status)


def test_only_pending_and_processing_are_not_final() -> None:
    assert {status for status in Status if status.is_final} == FINAL


@pytest.mark.parametrize("transition", TRANSITIONS, ids=lambda transition: transition.name)
def test_only_a_replay_or_a_settled_doubt_leads_out_of_a_state_where_nothing_was_sent(
    transition: Transition,
) -> None:
    unsent = {Status.FAILED, Status.EXPIRED, Status.CANCELLED, Status.SUPPRESSED}

    assert not transition.sources & unsent or transition in (REPLAY, SETTLE)


def test_what_spends_no_attempt_gives_back_what_its_claim_spent() -> None:
    assert CLAIM.counts_attempt + INTERRUPT.counts_attempt == 0
    assert CLAIM.counts_attempt + SNOOZE.counts_attempt == 0
    assert CLAIM.counts_attempt + DEFER.counts_attempt == 0
