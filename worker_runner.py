"""Run the workers, a parent and its OS processes; the same as `notifier work`."""

import sys

from notifier.commands.app import run

if __name__ == "__main__":
    sys.exit(run(["work"]))
