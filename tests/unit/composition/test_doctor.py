"""What the doctor says of workers, by what they said of themselves."""

from datetime import UTC, datetime

import pytest

from notifier.checkup import Finding, State
from notifier.composition.doctor import of_workers
from notifier.roster import LATE_S, Identity, Process, Role, Seen
from notifier.roster import State as ProcessState

AT = datetime(2026, 1, 1, tzinfo=UTC)
RUNNING, STOPPED = ProcessState.RUNNING, ProcessState.STOPPED


def a_worker(
    name: str, state: ProcessState = RUNNING, *, silent_s: float = 1, drains: bool = False
) -> Process:
    return Process(
        identity=Identity(name=name, role=Role.WORKER, host="host", pid=1, version="1.0"),
        seen=Seen(state=state, up_s=60, slots=8, busy=3),
        started_at=AT,
        beat_at=AT,
        silent_s=silent_s,
        is_to_drain=drains,
    )


def test_workers_that_run_are_counted_and_late_ones_are_named() -> None:
    late = a_worker("c", silent_s=LATE_S + 1)

    found = of_workers([a_worker("a"), a_worker("b", drains=True), late, a_worker("d", STOPPED)])

    words = "2 running, 6 of 16 slots busy; not heard of lately: c"
    assert found == Finding(State.FINE, words)


@pytest.mark.parametrize(
    "gone", [a_worker("a", STOPPED, silent_s=LATE_S + 1), a_worker("a", silent_s=LATE_S + 1)]
)
def test_it_is_wrong_that_no_worker_is_left(gone: Process) -> None:
    found = of_workers([gone])

    assert (found.state, found.advice) == (State.WRONG, "start the workers: `notifier work`")


def test_it_is_wrong_that_all_workers_are_drained() -> None:
    found = of_workers([a_worker("a", drains=True)])

    assert (found.state, found.advice) == (State.WRONG, "`notifier workers resume NAME`")
    assert found.detail.startswith("all are drained: 1 running")


def test_where_no_worker_ever_ran_there_is_nothing_to_say() -> None:
    assert of_workers([]).state is State.NOT_CHECKED
