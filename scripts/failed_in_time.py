"""Print the tests of the last run that failed and may have failed because the machine was busy.

usage: scripts/failed_in_time.py

Tests of whole programs hold their bounds in real time. With any other failure, or with many, the
run has failed, and nothing is printed.
"""

import json
from pathlib import Path

_FAILED = Path(".pytest_cache/v/cache/lastfailed")
_TIMED = ("tests/bench/", "tests/chaos/", "tests/e2e/", "tests/faults/")
_MOST = 3


def main() -> None:
    """Print one test in each line."""
    failed = json.loads(_FAILED.read_text(encoding="utf-8")) if _FAILED.exists() else {}
    if len(failed) <= _MOST and all(test.startswith(_TIMED) for test in failed):
        print("\n".join(failed))


if __name__ == "__main__":
    main()
