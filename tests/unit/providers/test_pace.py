from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.providers.pace import Pace

STEP_S = 0.01


@dataclass
class Provider:
    """Takes `per_s` calls in each second and throttles the rest."""

    per_s: int
    taken: list[float] = field(default_factory=list)
    throttled: list[float] = field(default_factory=list)
    _second: int = -1
    _room: int = 0

    def call(self, now_s: float) -> bool:
        if int(now_s) != self._second:
            self._second, self._room = int(now_s), self.per_s
        self._room -= 1
        (self.taken if self._room >= 0 else self.throttled).append(now_s)
        return self._room >= 0

    def taken_between(self, begin_s: float, end_s: float) -> int:
        return sum(begin_s <= at_s < end_s for at_s in self.taken)


def run(provider: Provider, processes: int, *, from_s: float, to_s: float) -> list[Pace]:
    """Processes with more to send than anybody takes."""
    paces = [Pace() for _ in range(processes)]
    keep_on(provider, paces, from_s=from_s, to_s=to_s)
    return paces


def keep_on(provider: Provider, paces: list[Pace], *, from_s: float, to_s: float) -> None:
    for step in range(round((to_s - from_s) / STEP_S)):
        now_s = from_s + step * STEP_S
        for pace in paces:
            if pace.turn(now_s, patience_s=0) is not None:
                if provider.call(now_s):
                    pace.taken(now_s)
                else:
                    pace.throttled(now_s)


def test_nobody_who_was_never_throttled_waits() -> None:
    pace = Pace()
    for call in range(1_000):
        pace.taken(call / 1_000)

    assert pace.turn(1, patience_s=0) == 0
    assert pace.turn(1, patience_s=0) == 0


def test_who_was_throttled_goes_at_seven_tenths_of_the_pace_that_he_had() -> None:
    pace = Pace()
    for call in range(40):
        pace.taken(call / 10)

    assert pace.throttled(4)
    assert pace.per_s == pytest.approx(7)
    assert pace.turn(4, patience_s=10) == pytest.approx(1)
    assert pace.turn(4, patience_s=10) == pytest.approx(1 + 1 / 7)


def test_what_was_on_its_way_brings_the_pace_down_once() -> None:
    pace = Pace()
    for call in range(40):
        pace.taken(call / 10)
    pace.throttled(4)
    had_per_s = pace.per_s

    for later in range(9):
        assert pace.throttled(4 + later / 10)

    assert pace.per_s == had_per_s


def test_being_throttled_without_having_been_served_is_no_matter_of_pace() -> None:
    pace = Pace()
    assert not pace.throttled(0)

    pace.taken(0)
    assert not pace.throttled(100)
    assert pace.per_s is None


def test_no_turn_is_taken_by_who_has_no_patience_for_it() -> None:
    pace = Pace()
    pace.taken(0)
    pace.throttled(0)

    assert pace.turn(0, patience_s=0.5) is None
    assert pace.turn(0, patience_s=10) == pytest.approx(1 / 0.7)
    assert pace.turn(0, patience_s=10) == pytest.approx(2 / 0.7)


@pytest.mark.parametrize("per_s", [5, 40])
@pytest.mark.parametrize("processes", [1, 2, 4])
def test_most_of_what_a_provider_takes_is_used_and_little_is_asked_in_vain(
    per_s: int, processes: int
) -> None:
    provider = Provider(per_s)

    run(provider, processes, from_s=0, to_s=120)

    assert provider.taken_between(60, 120) >= 0.6 * per_s * 60
    asked_in_vain = sum(at_s >= 60 for at_s in provider.throttled)
    assert asked_in_vain <= 0.1 * provider.taken_between(60, 120)


def test_a_limit_that_is_lifted_is_found_out_and_in_the_end_forgotten() -> None:
    provider = Provider(10)
    paces = run(provider, 1, from_s=0, to_s=60)
    provider.per_s = 1_000

    keep_on(provider, paces, from_s=60, to_s=120)
    assert provider.taken_between(110, 120) > 2 * 10 * 10
    keep_on(provider, paces, from_s=120, to_s=400)
    assert paces[0].per_s is None


def test_an_outage_with_many_refusals_is_made_up_for_within_a_minute() -> None:
    provider = Provider(50)
    paces = run(provider, 1, from_s=0, to_s=60)
    provider.per_s = 0
    keep_on(provider, paces, from_s=60, to_s=80)
    provider.per_s = 50

    keep_on(provider, paces, from_s=80, to_s=170)

    assert provider.taken_between(140, 170) >= 0.6 * 50 * 30


@given(st.lists(st.tuples(st.sampled_from(["taken", "throttled", "turn"]), st.floats(0, 50))))
def test_there_is_always_a_next_turn_within_seconds(steps: list[tuple[str, float]]) -> None:
    pace, now_s = Pace(), 0.0
    for what, passed_s in steps:
        now_s += passed_s
        match what:
            case "taken":
                pace.taken(now_s)
            case "throttled":
                pace.throttled(now_s)
            case _:
                delay_s = pace.turn(now_s, patience_s=6)
                assert delay_s is None or 0 <= delay_s <= 6
        assert pace.per_s is None or pace.per_s >= 0.2
