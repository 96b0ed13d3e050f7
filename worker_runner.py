"""Run the workers, a parent and its OS processes; the same as `notifier work`."""

import sys

if __name__ == "__main__":
    # A worker's process imports this file too, and needs no command line.
    from notifier.commands.app import run

    sys.exit(run(["work"]))
