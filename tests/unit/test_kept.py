from hypothesis import given
from hypothesis import strategies as st

from notifier.kept import Kept
from tests.unit.rendering.making import StandingClock


class MovedClock(StandingClock):
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def monotonic_s(self) -> float:
        return self.passed_s


def test_what_was_used_longest_ago_gives_way() -> None:
    kept: Kept[str, int] = Kept(2, MovedClock())
    for number, name in enumerate("ab"):
        kept.keep(name, number)
    assert kept.get("a") == 0

    kept.keep("c", 2)

    assert [kept.get(name) for name in "abc"] == [0, None, 2]


def test_what_is_old_is_gone_however_often_it_was_used() -> None:
    clock = MovedClock()
    kept: Kept[str, int] = Kept(9, clock, fresh_s=2)
    kept.keep("a", 1)
    clock.passed_s = 1.9
    assert kept.get("a") == 1

    clock.passed_s = 2

    assert kept.get("a") is None
    assert len(kept) == 0


def test_the_newest_is_kept_whatever_it_weighs() -> None:
    kept: Kept[str, int] = Kept(5, MovedClock(), weigh=lambda value: value)
    kept.keep("a", 3)
    kept.keep("b", 99)
    assert (kept.get("a"), kept.get("b")) == (None, 99)

    kept.keep("c", 2)

    assert (kept.get("b"), kept.get("c")) == (None, 2)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 9), st.booleans())))
def test_what_is_kept_never_weighs_more_than_it_may(
    steps: list[tuple[str, int, bool]],
) -> None:
    kept: Kept[str, int] = Kept(10, MovedClock(), weigh=lambda value: value)
    for name, weight, is_kept in steps:
        if is_kept:
            kept.keep(name, weight)
            assert kept.get(name) == weight
        else:
            kept.forget(name)
            assert kept.get(name) is None

        assert sum(kept.get(each) or 0 for each in "abcd") <= 10
