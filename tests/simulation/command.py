"""`./scripts/simulate`, as tests run it."""

import os
import subprocess
import sys

from tests.e2e.processes import CHECKOUT

# Ten times what a hundred worlds take on two busy processors.
_TIMEOUT_S = 1_200


def simulate(*arguments: object, hash_seed: int = 0) -> "subprocess.CompletedProcess[str]":
    """Run it with these arguments, whatever it ends with.

    Its lines are not counted: that would take two thirds of its time.
    """
    others = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE")}
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *map(str, arguments)],
        cwd=CHECKOUT,
        env={**others, "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
