import pytest

from notifier.notification import Channel, Lane
from notifier.ports import QueueDepth
from notifier.windows import WINDOWS, Window


def a_depth(*, ready: int, consumers: int) -> QueueDepth:
    return QueueDepth(
        name="q", channel=Channel.EMAIL, lane=Lane.HIGH, ready=ready, consumers=consumers
    )


@pytest.mark.parametrize(
    ("ready", "consumers", "room"), [(0, 1, 10), (4, 1, 6), (40, 1, 0), (40, 0, 60), (400, 0, 0)]
)
def test_a_queue_has_the_room_of_its_window(ready: int, consumers: int, room: int) -> None:
    window = Window(10, unattended=100)

    assert window.room(a_depth(ready=ready, consumers=consumers)) == room


def test_a_queue_that_does_not_exist_yet_has_room_and_one_that_nobody_consumes_a_lot() -> None:
    assert Window(10, unattended=100).room(None) == 100
    assert Window(10).room(a_depth(ready=10**9, consumers=0)) > 10**9


def test_urgent_ones_take_turns_even_while_nobody_consumes() -> None:
    idle = a_depth(ready=1_000, consumers=0)

    assert WINDOWS[Lane.HIGH].room(idle) == 0
    assert WINDOWS[Lane.NORMAL].room(idle) > 10**9
    assert WINDOWS.keys() == set(Lane)


def test_little_room_is_not_worth_filling() -> None:
    window = Window(100)

    assert window.is_narrow(25)
    assert not window.is_narrow(26)
