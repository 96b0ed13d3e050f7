"""`python -m notifier` and the `notifier` command."""

import sys


def main() -> None:
    """Run the command line; the exit code is 2 for a wrong setting."""
    # A worker's process imports this file too, and needs no command line.
    from notifier.commands.app import run  # noqa: PLC0415

    sys.exit(run())


if __name__ == "__main__":
    main()
