"""What tests are measured with: coverage that tells greenlets apart."""

import os
import subprocess
import sys
from pathlib import Path

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]  # untyped

from tests.e2e.processes import CHECKOUT, uncounted
from tests.measured import Greenlet, Stacks

_TAKING_TURNS = """
from greenlet import getcurrent, greenlet
home = getcurrent()
def first(is_early):
    home.switch()
    if is_early:
        home.switch()
    return 1
def second():
    home.switch()
    for _ in range(2):
        home.switch()
    return 2
turns = [greenlet(first), greenlet(second)]
turns[0].switch(False)
turns[1].switch()
while not all(turn.dead for turn in turns):
    for turn in turns:
        turn.switch()
"""
_MEASURING = """
import runpy, sys, weakref
from coverage import Coverage
from tests.measured import measure
usual, program = weakref.WeakKeyDictionary, sys.argv[1]
def arcs(start, concurrency):
    measuring = Coverage(
        branch=True, concurrency=concurrency, include=[program], data_file=None, config_file=False
    )
    start(measuring)
    runpy.run_path(program)
    measuring.stop()
    return sorted(measuring.get_data().arcs(program))
lightly = arcs(measure, ["greenlet"])
assert usual is weakref.WeakKeyDictionary
assert lightly == arcs(Coverage.start, ["greenlet"])
assert lightly != arcs(Coverage.start, ["thread"])
"""


def test_greenlets_that_take_turns_are_measured_as_coverage_does_by_itself(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(_TAKING_TURNS)

    subprocess.run(
        [sys.executable, "-c", _MEASURING, program],
        cwd=CHECKOUT,
        env=uncounted(os.environ),
        check=True,
    )


_IN_A_THREAD = """
import threading, weakref
from coverage import Coverage
from greenlet import getcurrent
from tests.measured import measure
measuring = Coverage(concurrency=["greenlet", "thread"], data_file=None, config_file=False)
measure(measuring)
references = []
looking = threading.Thread(
    target=lambda: references.append(weakref.getweakrefcount(getcurrent()))
)
looking.start()
looking.join()
measuring.stop()
assert references == [0], references
"""


def test_no_call_comes_of_the_end_of_a_measured_thread() -> None:
    subprocess.run(
        [sys.executable, "-c", _IN_A_THREAD], cwd=CHECKOUT, env=uncounted(os.environ), check=True
    )


def test_the_stacks_of_ended_greenlets_are_forgotten_and_no_others() -> None:
    stacks = Stacks()
    waiting = greenlet(getcurrent().switch)
    waiting.switch()
    stacks[getcurrent()] = 0
    stacks[waiting] = 1

    for number in range(2, 5_000):
        stacks[_ended()] = number

    assert len(stacks) < 1_000
    assert (stacks[getcurrent()], stacks[waiting]) == (0, 1)
    waiting.switch()


def _ended() -> Greenlet:
    done = greenlet(int)
    done.switch()
    ended: Greenlet = done
    return ended
