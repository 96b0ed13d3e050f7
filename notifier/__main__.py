"""`python -m notifier` and the `notifier` command."""

import sys

from notifier.commands.app import run


def main() -> None:
    """Run the command line; the exit code is 2 for a wrong setting."""
    sys.exit(run())


if __name__ == "__main__":
    main()
