"""What a queue's depth tells of a refusal."""

import pytest

from notifier.queue.rabbitmq.refusing import why_refused
from notifier.queue.topology import MAX_LENGTH, WORK_QUEUES

FULL, LEADERLESS = "its queue is full", "its queue has lost its leader"
EITHER = "its queue is full, or has lost its leader"


@pytest.mark.parametrize(
    ("ready", "told"),
    [(MAX_LENGTH, FULL), (MAX_LENGTH + 7, FULL), (0, LEADERLESS), (1, EITHER), (None, EITHER)],
)
def test_a_queue_without_a_leader_counts_as_empty(ready: int | None, told: str) -> None:
    depth = None if ready is None else WORK_QUEUES[0].depth(ready, consumers=1)

    assert why_refused(depth) == f"the broker refused the message: {told}"
