import pytest

from notifier.intake.windows import WINDOWS, Window
from notifier.notification.model import Channel, Lane
from notifier.notification.queueing import QueueDepth


def a_depth(*, ready: int, consumers: int) -> QueueDepth:
    return QueueDepth(
        name="q", channel=Channel.EMAIL, lane=Lane.HIGH, ready=ready, consumers=consumers
    )


@pytest.mark.parametrize(
    ("ready", "consumers", "portion"),
    [
        (0, 1, 50),
        (1, 1, 50),
        (50, 1, 25),
        (74, 1, 13),
        (75, 1, 0),
        (400, 1, 0),
        (300, 0, 100),
        (500, 0, 0),
    ],
)
def test_a_process_takes_half_the_room_in_a_window_and_none_of_little(
    ready: int, consumers: int, portion: int
) -> None:
    window = Window(100, unattended=500)

    assert window.portion(a_depth(ready=ready, consumers=consumers)) == portion


@pytest.mark.parametrize(
    ("consumers", "portion"), [(1, 8), (40, 10), (64, 16), (200, 50), (2_000, 50)]
)
def test_fewer_urgent_ones_are_ready_where_fewer_consumers_take_them(
    consumers: int, portion: int
) -> None:
    assert WINDOWS[Lane.HIGH].portion(a_depth(ready=0, consumers=consumers)) == portion


def test_a_queue_that_does_not_exist_yet_is_empty() -> None:
    assert Window(10, unattended=100).portion(None) == 50


def test_urgent_ones_take_turns_even_while_nobody_consumes() -> None:
    idle = a_depth(ready=1_000, consumers=0)

    assert WINDOWS[Lane.HIGH].portion(idle) == 0
    assert WINDOWS[Lane.NORMAL].portion(idle) > 10**9
    assert WINDOWS.keys() == set(Lane)
