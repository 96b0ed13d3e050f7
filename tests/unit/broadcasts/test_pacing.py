"""Pacing: no more members than the queue and the rate take, and no more than are quick."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from uuid_utils import compat

from notifier.broadcasts.broadcast import (
    Counts,
    State,
    StoredBroadcast,
    Turn,
    Whom,
    notification_id,
)
from notifier.broadcasts.pacing import Allowance, ExpansionPace, allowance, next_chunk
from notifier.notification.model import Channel, Lane

BEGAN = datetime(2027, 1, 31, 18, tzinfo=UTC)
PACE = ExpansionPace(chunk=1_000, most_waiting=8_000)
NEWS = StoredBroadcast(
    id=compat.uuid7(),
    service="shop",
    channel=Channel.EMAIL,
    lane=Lane.BULK,
    template="news",
    version_id=uuid4(),
    whom=Whom(topic="news"),
    variables={},
    state=State.EXPANDING,
    counts=Counts(),
    fault=None,
    cursor="",
    created_at=BEGAN,
    started_at=BEGAN,
    finished_at=None,
)


def a_turn(*, waiting: int = 0, rate: int | None = None, paced_s: float = 60) -> Turn:
    return Turn(broadcast=replace(NEWS, rate_per_s=rate), waiting=waiting, paced_s=paced_s)


def test_without_a_rate_a_whole_chunk_is_next() -> None:
    assert allowance(a_turn(), PACE, 1_000) == Allowance(1_000)
    assert allowance(a_turn(), PACE, 250) == Allowance(250)


def test_a_queue_that_is_nearly_full_waits_until_there_is_room_again() -> None:
    assert allowance(a_turn(waiting=7_000), PACE, 1_000).members == 1_000
    for waiting in (7_001, 8_000, 9_000):
        assert allowance(a_turn(waiting=waiting), PACE, 1_000) == Allowance(0, wait_s=1)


def test_a_rate_is_spent_as_time_goes_by() -> None:
    assert allowance(a_turn(rate=10, paced_s=0.55), PACE, 1_000) == Allowance(5, spent_s=0.5)
    assert allowance(a_turn(rate=10, paced_s=0.05), PACE, 1_000) == Allowance(0, wait_s=0.1)
    assert allowance(a_turn(rate=10, paced_s=-3), PACE, 1_000).members == 0


def test_what_a_rate_did_not_use_is_made_up_for_within_two_seconds_only() -> None:
    assert allowance(a_turn(rate=100, paced_s=3_600), PACE, 1_000).members == 200


@pytest.mark.parametrize("rate", [1, 7, 999, 10_000])
def test_a_rate_is_kept_over_a_minute_of_looking(rate: int) -> None:
    paced_s, told = 1.0, 0

    for _ in range(240):
        allowed = allowance(a_turn(rate=rate, paced_s=paced_s), PACE, 10_000)
        told += allowed.members
        paced_s = min(paced_s, 2.0) - allowed.spent_s + 0.25

    assert rate * 60 <= told <= rate * 62


def test_chunks_shrink_while_they_are_slow_and_grow_again() -> None:
    assert next_chunk(1_000, 0.2, 1_000) == 500
    assert next_chunk(60, 9.0, 1_000) == 50
    assert next_chunk(500, 0.08, 1_000) == 500
    assert next_chunk(500, 0.01, 1_000) == 1_000
    assert next_chunk(1_000, 0.01, 1_000) == 1_000
    assert next_chunk(20, 9.0, 20) == 20


def test_an_id_is_always_the_same_and_of_one_broadcast_person_and_channel() -> None:
    id = notification_id(NEWS, "u1")

    assert id == notification_id(NEWS, "u1")
    others = [
        notification_id(NEWS, "u2"),
        notification_id(replace(NEWS, id=uuid4()), "u1"),
        notification_id(replace(NEWS, channel=Channel.SMS), "u1"),
    ]
    assert len({id, *others}) == 4


def test_an_id_is_a_uuid_of_the_time_when_the_broadcast_began() -> None:
    id = notification_id(NEWS, "u1")

    assert (id.version, id.variant) == (7, UUID(int=0x8 << 60).variant)
    assert id.int >> 80 == BEGAN.timestamp() * 1_000
