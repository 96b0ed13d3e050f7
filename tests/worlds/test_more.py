"""More worlds than the whole suite has time for."""

import pytest

from tests.simulation.command import simulate

FIRST, WORLDS, AT_ONCE = 100, 300, 50


@pytest.mark.parametrize("first", range(FIRST, FIRST + WORLDS, AT_ONCE))
def test_nothing_goes_wrong_in_more_worlds(first: int) -> None:
    done = simulate("--processes", 1, "--first", first, "--seeds", AT_ONCE)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{AT_ONCE} worlds" in done.stdout
