"""Trying dead letters again as something else: to another address, or with other variables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from notifier.clock import Clock
from notifier.idempotency import NotFound
from notifier.intake.draft import Flaw
from notifier.intake.forwarding import Edit, Forwarder, Made
from notifier.intake.ports import Submission
from notifier.notification.orders import Erased, Refused
from notifier.replays.replay import DEFAULT_RATE_PER_S, Letters, Selection, Successor

MOST_CORRECTED = 200
"""How many letters one call looks at, at most."""
_MOST_TOLD = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """What came of it; where it `goes_on_after` an id, there may be more letters behind that."""

    corrected: int
    """How many are sent anew; of a dry run, how many would be."""
    refused: int
    """How many are not, and stay as they are."""
    findings: Mapping[UUID, Sequence[Flaw]]
    """Why, of the first ones."""
    goes_on_after: UUID | None


@dataclass(frozen=True, slots=True)
class Corrector:
    """Makes of each dead letter a notification of its own, and discards the letter.

    Each knows of the other. A letter has one successor at most, whoever else replays, discards or
    corrects it meanwhile.
    """

    letters: Letters
    forwarder: Forwarder
    clock: Clock

    async def correct(
        self,
        selection: Selection,
        edit: Edit,
        *,
        by: str,
        after: UUID | None = None,
        rate_per_s: int = DEFAULT_RATE_PER_S,
        dry_run: bool = False,
    ) -> Corrected:
        """Correct the oldest of a selection, of those after the last one seen.

        Args:
            selection: Which letters.
            edit: What is otherwise about what is sent instead.
            by: Who asks; the letters' timelines say so.
            after: The last one seen.
            rate_per_s: How many are sent in a second.
            dry_run: Whether to change nothing, and say what it would come to.
        """
        pick = await self.letters.pick(selection, limit=MOST_CORRECTED, after=after)
        made = {
            id: await self.forwarder.submission(id, edit, service=selection.service)
            for id in pick.ids
        }
        fitting = {id: each for id, each in made.items() if isinstance(each, Submission)}
        refused = {id: _why(each) for id, each in made.items() if id not in fitting}
        successors = list(_paced(fitting, self.clock.now(), rate_per_s))
        count = len(fitting)
        if not dry_run:
            count = await self.letters.succeed(successors, by=by)
        return Corrected(
            corrected=count,
            refused=len(refused),
            findings=dict(list(refused.items())[:_MOST_TOLD]),
            goes_on_after=pick.goes_on_after,
        )


def _paced(made: Mapping[UUID, Submission], now: datetime, rate_per_s: int) -> Iterator[Successor]:
    for place, (letter, each) in enumerate(made.items()):
        # Those of the first second go at once.
        due = now + timedelta(seconds=place // rate_per_s) if place >= rate_per_s else None
        at = max((time for time in (each.send_at, due) if time), default=None)
        yield Successor(letter=letter, submission=replace(each, send_at=at))


def _why(made: Made) -> Sequence[Flaw]:
    match made:
        case Erased():
            return [Flaw("content", "what it said is erased")]
        case NotFound() | Refused():
            return [Flaw("id", "it is no dead letter any more")]
        case Submission():
            return []
        case flaws:
            return flaws
