"""How each of notifier's processes stands in the roster."""

import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from notifier import __version__
from notifier.composition.running import running
from notifier.roster import Identity, Role, Roster
from notifier.worker.presence import Presence, note_end


def identify(role: Role, *, name: str | None = None, runner: str | None = None) -> Identity:
    """Return who this process is; without a name it is given one that no other has."""
    host, pid = socket.gethostname(), os.getpid()
    return Identity(
        name=name or f"{host}:{pid}:{secrets.token_hex(4)}",
        role=role,
        host=host,
        pid=pid,
        version=__version__,
        runner=runner,
    )


@asynccontextmanager
async def present(
    roster: Roster, identity: Identity, restarts: Callable[[], int] = lambda: 0
) -> AsyncIterator[Presence]:
    """Tell of this process for the length of the block; of its end tells who started it, if any."""
    presence = Presence(roster, identity, restarts=restarts)
    try:
        async with running(presence.run()):
            yield presence
    finally:
        if identity.runner is None:
            await note_end(roster, identity.name)
