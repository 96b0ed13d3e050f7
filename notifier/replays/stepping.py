"""Working replays off: a few letters at a time, by any number, who may be killed at any point."""

from collections.abc import Sequence
from dataclasses import dataclass

from notifier.duty import Duty
from notifier.replays.replay import Replaying

_CHUNK = 500
_STEP_EVERY_S = 0.5
_UNDO_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class ReplayDuties:
    """Tries again what replays select, and takes it back where they are undone."""

    replaying: Replaying

    def all(self) -> Sequence[Duty]:
        """Return the duties, for a relay."""
        return (
            Duty("replays.step", _STEP_EVERY_S, self.step),
            Duty("replays.undo", _UNDO_EVERY_S, self.undo),
        )

    async def step(self) -> bool:
        """Go on with one replay; whether another may be up."""
        return await self.replaying.step(_CHUNK)

    async def undo(self) -> bool:
        """Go on undoing one; whether another may be up."""
        return await self.replaying.undo(_CHUNK)
