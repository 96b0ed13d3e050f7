from structlog.testing import capture_logs
from structlog.typing import EventDict

from notifier.trouble import Trouble


class Clock:
    def __init__(self) -> None:
        self.s = 0.0

    def now_s(self) -> float:
        return self.s


def told(*steps: tuple[float, bool]) -> list[EventDict]:
    """What is said of something that works, or does not, at each of these times."""
    clock = Clock()
    trouble = Trouble("a.failing", "a.over", clock.now_s, part="a")
    with capture_logs() as lines:
        for at_s, works in steps:
            clock.s = at_s
            if works:
                trouble.ended()
            else:
                trouble.met(reason=f"at {at_s:.0f}")
    return lines


def test_what_goes_on_failing_is_told_at_once_and_then_once_a_minute() -> None:
    lines = told(*((tenth / 10, False) for tenth in range(1_300)))

    assert [(each["event"], each["part"]) for each in lines] == [("a.failing", "a")] * 3
    assert [each["reason"] for each in lines] == ["at 0", "at 60", "at 120"]


def test_its_end_is_told_once() -> None:
    lines = told((0, True), (1, False), (2, True), (3, True))

    assert [each["event"] for each in lines] == ["a.failing", "a.over"]


def test_what_fails_and_works_by_turns_is_told_once_a_minute() -> None:
    lines = told(*((second, second % 2 == 1) for second in range(120)))

    assert [each["event"] for each in lines] == ["a.failing", "a.over"] * 2
