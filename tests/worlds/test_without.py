"""Each mechanism that keeps the promise is missed where it is missing."""

from collections.abc import Mapping

import pytest

from tests.simulation.command import simulate
from tests.simulation.mutants import MUTANTS, Mutant

IN_WORLDS = [each for each in MUTANTS if each.path.exists()]


@pytest.fixture(scope="module")
def said() -> Mapping[str, str]:
    """What the simulation says of each."""
    done = simulate("--mutants", "--processes", 1)
    lines = (line.partition(": ") for line in done.stdout.splitlines())
    return {name: words for name, _, words in lines} or {"error": done.stderr}


@pytest.mark.parametrize("mutant", IN_WORLDS, ids=lambda mutant: mutant.name)
def test_a_world_goes_wrong_without(mutant: Mutant, said: Mapping[str, str]) -> None:
    words = said.get(mutant.name, str(said))

    assert words.partition(":")[0] in mutant.found, words
