"""What a run says of what it tried."""

from collections import Counter
from datetime import UTC, datetime

from notifier.notification.transitions import CLAIM, DEFER, TRANSITIONS
from tests.simulation.coverage import IMPOSSIBLE, covered, never_taken, table
from tests.simulation.ended import Ended, Happening
from tests.simulation.epoch import EPOCH_S
from tests.simulation.plan import Kind, plan_of


def at(seconds: float) -> str:
    return datetime.fromtimestamp(EPOCH_S + seconds, UTC).isoformat()


def test_a_transition_counts_for_the_faults_that_go_on_or_just_ended() -> None:
    ended = Ended(plan_of(0))
    ended.happenings = [
        Happening(Kind.KILL, 10, 10, None),
        Happening(Kind.PURGE, 2, 2, None),
        Happening(Kind.ALARM, 13, 20, None),
        Happening(Kind.FREEZE, 8, 30, None),
    ]
    ended.timeline = [{"at": at(12), "event": CLAIM.name, "attempt": 1}]

    found = covered(ended)

    assert found == {(CLAIM.name, kind.value): 1 for kind in (Kind.KILL, Kind.FREEZE)}


def test_what_was_not_seen_is_named_unless_it_is_impossible() -> None:
    seen = {
        (transition.name, kind.value)
        for transition in TRANSITIONS
        for kind in Kind
        if transition.name not in IMPOSSIBLE
    } - {(CLAIM.name, Kind.KILL.value)}

    lines = list(table(Counter(seen)))

    assert f"{len(seen)} of {len(seen) + 1} possible pairs were seen; not:" in lines
    assert lines[-1] == "  claim under kill"
    assert all(
        any(line.startswith(f"{name} is impossible") for line in lines) for name in IMPOSSIBLE
    )


def test_what_was_taken_under_no_fault_is_named() -> None:
    found = Counter(
        (transition.name, Kind.KILL.value)
        for transition in TRANSITIONS
        if transition.name not in IMPOSSIBLE and transition is not DEFER
    )

    assert never_taken(found) == [DEFER.name]
    assert f"{DEFER.name} was never taken" in table(found)


def test_what_is_held_from_the_start_is_no_transition() -> None:
    ended = Ended(plan_of(0))
    ended.happenings = [Happening(Kind.KILL, 10, 10, None)]
    ended.timeline = [{"at": at(12), "event": DEFER.name, "attempt": n} for n in (0, 1)]

    assert covered(ended) == {(DEFER.name, Kind.KILL.value): 1}
