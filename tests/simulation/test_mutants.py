"""Each mechanism that keeps the promise is noticed by a world, or held by another test."""

from pathlib import Path

import pytest

from tests.e2e.processes import CHECKOUT
from tests.simulation.mutants import MUTANTS, NOTICED, UNNOTICED, Mutant
from tests.simulation.mutations import Mutation

IN_WORLDS = [each for each in MUTANTS if each.path.exists()]


def test_each_is_noticed_in_a_world_or_held_by_another_test() -> None:
    kept = [each.name for each in IN_WORLDS]

    assert sorted([*kept, *UNNOTICED]) == sorted(each.name for each in MUTANTS)


@pytest.mark.parametrize("words", UNNOTICED.values(), ids=list(UNNOTICED))
def test_the_tests_that_hold_the_others_are_there(words: str) -> None:
    test, _, why = words.partition(": ")
    file, _, name = test.partition("::")

    assert f"def {name}(" in Path(CHECKOUT, file).read_text()
    assert why


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_what_is_taken_out_stands_once_in_the_code(mutant: Mutant) -> None:
    Mutation(f"notifier.{mutant.module}", mutant.old, mutant.new)


def test_no_plan_is_kept_of_what_there_is_not() -> None:
    kept = {path.name for path in NOTICED.iterdir()}

    assert kept == {each.path.name for each in IN_WORLDS}
