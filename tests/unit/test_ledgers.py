"""The comparison of made-up ledgers: it sees what is missing, doubled and unexplained."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from notifier.notification.model import Channel, Lane, Status
from tools.chaos.causes import Cause, Slots, bounds, causes_of
from tools.chaos.faults import Fault
from tools.chaos.journal import Answer, Entry, open_journal, read_journal
from tools.chaos.ledgers import Comparison, Ledgers, compare
from tools.chaos.letters import sorted_letters
from tools.chaos.load import Accepted
from tools.chaos.plan import KINDS_OF_CLUSTER, KINDS_OF_ONE, NEED_OWN_BROKER, Kind, make_plan
from tools.chaos.records import Event, Record
from tools.chaos.report import DeadLetters

SLOTS = Slots(of_worker=2, of_runner=4, of_all=8)


def told(id: str) -> Accepted:
    return Accepted(id=id, channel=Channel.EMAIL, lane=Lane.NORMAL, at=100, due_at=None)


def a_record(id: str, status: Status = Status.SENT, **changes: object) -> Record:
    record = Record(
        id=id,
        channel=Channel.EMAIL,
        status=status,
        attempts_spent=1,
        outcome_unknown=False,
        fault_kind=None,
        fault_code=None,
        created_at=100,
        expires_at=None,
        finished_at=101,
    )
    return replace(record, **changes)  # type: ignore[arg-type]  # by name


def handed(id: str, at: float = 101, answer: Answer = "taken") -> Entry:
    return Entry(at=at, provider="smtp", id=id, answer=answer)


def compared(
    accepted: Sequence[str], records: Sequence[Record], journal: Sequence[Entry]
) -> Comparison:
    return compare(
        Ledgers(accepted=[told(id) for id in accepted], records=records, journal=journal)
    )


def test_equal_ledgers_balance() -> None:
    found = compared(["a", "b"], [a_record("a"), a_record("b")], [handed("a"), handed("b")])

    assert found.is_balanced
    assert found.duplicates == 0


def test_what_is_sent_in_the_database_and_arrived_nowhere_is_lost() -> None:
    found = compared(["a", "b"], [a_record("a"), a_record("b")], [handed("a")])

    assert found.lost == ["b"]
    assert not found.is_balanced


def test_what_was_accepted_and_is_not_in_the_database_is_lost() -> None:
    found = compared(["a", "b"], [a_record("a")], [handed("a")])

    assert found.lost == ["b"]
    assert not found.is_balanced


def test_what_arrived_twice_is_doubled() -> None:
    found = compared(["a"], [a_record("a")], [handed("a", 103), handed("a", 102)])

    assert found.doubled == {"a": [handed("a", 102), handed("a", 103)]}
    assert found.duplicates == 1


def test_what_is_not_final_is_stuck() -> None:
    found = compared(["a"], [a_record("a", Status.PENDING)], [])

    assert (found.stuck, found.lost) == (["a"], [])
    assert not found.is_balanced


def test_what_nobody_was_told_of_is_seen() -> None:
    assert compared([], [a_record("a")], [handed("a")]).never_accepted == ["a"]
    assert compared([], [], [handed("a")]).unknown == ["a"]
    assert compared(["a", "a"], [a_record("a")], [handed("a")]).told_twice == ["a"]


def test_a_failure_is_explained_by_the_refusal_that_the_provider_wrote_down() -> None:
    failed = a_record("a", Status.FAILED, fault_kind="permanent")

    assert compared(["a"], [failed], [handed("a", answer="never")]).is_balanced
    assert compared(["a"], [failed], []).lost == ["a"]
    assert compared(["a"], [replace(failed, fault_kind="transient")], []).lost == ["a"]


def test_an_expiry_is_explained_by_its_time() -> None:
    expired = a_record("a", Status.EXPIRED, expires_at=101)

    assert compared(["a"], [expired], []).is_balanced
    assert compared(["a"], [replace(expired, expires_at=102)], []).lost == ["a"]
    assert compared(["a"], [a_record("a", Status.CANCELLED)], []).lost == ["a"]


def test_letters_of_what_the_database_does_not_know_are_counted_apart() -> None:
    taken = {"email": ["a", "b", "c"], "sms": ["d"]}

    found = sorted_letters(taken, {"a", "d"}, {"email": 1, "sms": 1})

    assert found == DeadLetters(
        letters={"email": 1, "sms": 1}, failed={"email": 1, "sms": 1}, unknown=2
    )


# --- causes ---------------------------------------------------------------------------------


def a_fault(kind: Kind, began_at: float, ended_at: float, target: str = "runner-0") -> Fault:
    return Fault(kind=kind, target=target, began_at=began_at, ended_at=ended_at)


def an_event(at: float, event: str, attempt: int, fault: str | None = None) -> Event:
    kind, _, code = (fault or "").partition(" ")
    return Event(
        at=at, event=event, attempt=attempt, fault_kind=kind or None, fault_code=code or None
    )


RESCUED = [
    an_event(100, "claim", 1),
    an_event(115, "rescue", 1, "unknown lease_ended"),
    an_event(116, "claim", 2),
    an_event(117, "succeed", 2),
]
TWICE = [handed("a", 101), handed("a", 117)]


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (a_fault(Kind.WORKER_KILLED, 110, 111), Cause.WORKER_KILLED),
        (a_fault(Kind.RUNNER_KILLED, 110, 140), Cause.RUNNER_KILLED),
        (a_fault(Kind.RUNNER_FROZEN, 99, 130), Cause.FROZEN),
        (a_fault(Kind.DATABASE_RESTARTED, 110, 112), Cause.NOT_RECORDED),
        (a_fault(Kind.PRIMARY_KILLED, 110, 112, "database"), Cause.NOT_RECORDED),
        (a_fault(Kind.RUNNER_CUT_OFF, 110, 130), Cause.NOT_RECORDED),
        (a_fault(Kind.STANDBY_AWAY, 110, 120, "database"), Cause.UNEXPLAINED),
        (a_fault(Kind.LINK_CUT, 110, 112, "workers-database"), Cause.NOT_RECORDED),
        (a_fault(Kind.LINK_CUT, 110, 112, "workers-broker"), Cause.UNEXPLAINED),
        (a_fault(Kind.BROKER_KILLED, 110, 112, "broker"), Cause.UNEXPLAINED),
        (a_fault(Kind.WORKER_KILLED, 90, 91), Cause.UNEXPLAINED),
        (a_fault(Kind.RUNNER_KILLED, 90, 140), Cause.UNEXPLAINED),
        (a_fault(Kind.WORKER_KILLED, 120, 121), Cause.UNEXPLAINED),
    ],
)
def test_a_duplicate_after_a_rescue_is_laid_on_the_fault_at_that_time(
    fault: Fault, cause: Cause
) -> None:
    assert causes_of(TWICE, RESCUED, [fault]) == [cause]


def test_a_duplicate_after_a_recorded_success_is_unexplained() -> None:
    timeline = [an_event(100, "claim", 1), an_event(101, "succeed", 1)]

    assert causes_of(TWICE, timeline, [a_fault(Kind.RUNNER_FROZEN, 90, 130)]) == [Cause.UNEXPLAINED]


def test_a_retry_of_what_was_surely_not_taken_explains_no_duplicate() -> None:
    timeline = [an_event(100, "claim", 1), an_event(101, "retry", 1, "transient 451"), *RESCUED[2:]]

    assert causes_of(TWICE, timeline, [a_fault(Kind.WORKER_KILLED, 101, 101)]) == [
        Cause.UNEXPLAINED
    ]


def test_a_retry_after_a_provider_s_silence_explains_one_duplicate() -> None:
    timeline = [an_event(100, "claim", 1), an_event(104, "retry", 1, "unknown timeout")]
    silence = [handed("a", 101, "silence"), handed("a", 117), handed("a", 118)]

    assert causes_of(silence, timeline, []) == [Cause.SILENCE, Cause.UNEXPLAINED]
    assert causes_of(TWICE, timeline, []) == [Cause.UNEXPLAINED]


def test_a_retry_by_who_was_frozen_during_the_call_explains_one_duplicate() -> None:
    timeline = [an_event(100, "claim", 1), an_event(118, "retry", 1, "unknown timeout")]

    assert causes_of(TWICE, timeline, [a_fault(Kind.RUNNER_FROZEN, 99, 117)]) == [Cause.FROZEN]
    assert causes_of(TWICE, timeline, [a_fault(Kind.RUNNER_FROZEN, 70, 90)]) == [Cause.UNEXPLAINED]
    assert causes_of(TWICE, timeline, [a_fault(Kind.WORKER_KILLED, 110, 111)]) == [
        Cause.UNEXPLAINED
    ]


def test_who_completed_late_was_frozen_and_not_killed() -> None:
    timeline = [*RESCUED, an_event(130, "late_completion", 1)]
    faults = [a_fault(Kind.WORKER_KILLED, 110, 111), a_fault(Kind.RUNNER_FROZEN, 99, 130)]

    assert causes_of(TWICE, timeline, faults) == [Cause.FROZEN]
    assert causes_of(TWICE, RESCUED, faults) == [Cause.WORKER_KILLED]


def test_the_bounds_are_what_could_be_in_flight() -> None:
    faults = [
        a_fault(Kind.WORKER_KILLED, 1, 2),
        a_fault(Kind.WORKER_KILLED, 3, 4),
        a_fault(Kind.RUNNER_FROZEN, 5, 6),
        a_fault(Kind.LINK_STALLED, 7, 8, "workers-database"),
        a_fault(Kind.LINK_STALLED, 9, 10, "api-database"),
    ]

    assert bounds(faults, [handed("a", answer="silence"), handed("b")], SLOTS) == {
        Cause.SILENCE: 1,
        Cause.WORKER_KILLED: 4,
        Cause.RUNNER_KILLED: 0,
        Cause.FROZEN: 4,
        Cause.NOT_RECORDED: 8,
        Cause.UNEXPLAINED: 0,
    }


# --- plan and journal -----------------------------------------------------------------------


def test_a_plan_follows_from_its_seed_and_has_one_of_each_kind_first() -> None:
    plan = make_plan(7, len(KINDS_OF_ONE), 60, 15, KINDS_OF_ONE)

    assert plan == make_plan(7, len(KINDS_OF_ONE), 60, 15, KINDS_OF_ONE)
    assert plan != make_plan(8, len(KINDS_OF_ONE), 60, 15, KINDS_OF_ONE)
    assert {planned.kind for planned in plan} == KINDS_OF_ONE
    assert all(0 < planned.at_s < 60 for planned in plan)
    assert len(make_plan(7, 100, 600, 15, KINDS_OF_ONE)) == 100
    assert len(make_plan(7, 2, 60, 15, KINDS_OF_ONE)) == 2


def test_a_cluster_has_faults_of_its_own_and_no_single_broker_to_kill() -> None:
    plan = make_plan(7, len(KINDS_OF_CLUSTER), 600, 15, KINDS_OF_CLUSTER)

    assert {planned.kind for planned in plan} == KINDS_OF_CLUSTER
    assert Kind.PRIMARY_KILLED in KINDS_OF_CLUSTER - KINDS_OF_ONE
    assert Kind.BROKER_KILLED not in KINDS_OF_CLUSTER


def test_the_plans_that_are_published_stay_as_they_are() -> None:
    plan = make_plan(2026, 75, 868, 15, KINDS_OF_ONE)

    assert [planned.kind for planned in plan[:3]] == [
        Kind.RUNNER_FROZEN, Kind.LINK_CUT, Kind.WORKER_KILLED,
    ]  # fmt: skip
    sums = sum(each.at_s + each.hold_s + each.choice for each in plan)
    assert round(sums, 3) == 33145.837


def test_a_foreign_broker_is_neither_killed_nor_alarmed() -> None:
    plan = make_plan(7, 40, 60, 15, KINDS_OF_ONE - NEED_OWN_BROKER)

    assert not NEED_OWN_BROKER & {planned.kind for planned in plan}


async def test_a_journal_holds_what_was_answered_and_no_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"

    with open_journal(path) as journal:
        await journal.note(handed("a"))
    with path.open("ab") as torn:
        torn.write(b'{"at": 1')

    assert list(read_journal(path)) == [handed("a")]
