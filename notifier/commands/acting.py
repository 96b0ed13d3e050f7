"""Whose change a command is."""

import getpass
import socket
from collections.abc import Sequence
from uuid import UUID

from uuid_utils.compat import uuid7

from notifier.audit import Act, Via

_NAMING = frozenset({"providers", "keys", "operators"})
"""Groups whose commands name nothing but what is theirs."""


def act_of(group: str, arguments: Sequence[str]) -> Act:
    """Return the change that a command of a group asks for, if it makes any.

    What it names is told where that cannot be an address or a person.
    """
    name, *rest = arguments
    return Act(
        id=uuid7(),
        via=Via.COMMAND,
        actor=login(),
        service=None,
        action=f"{group} {name}",
        target=next((each for each in rest[:1] if _may_be_told(group, each)), ""),
        source=socket.gethostname(),
    )


def login() -> str:
    """Return the name of whoever runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"


def _may_be_told(group: str, word: str) -> bool:
    if group in _NAMING:
        return not word.startswith("-")
    try:
        return bool(UUID(word))
    except ValueError:
        return False
