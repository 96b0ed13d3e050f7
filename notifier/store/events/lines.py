"""What is carried out of one match, on its way through a recording transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

from notifier.events.event import Match, Outcome, Reaction
from notifier.intake.ports import Submission

Person: TypeAlias = tuple[str, str, str, str]
"""Service, rule, person, and a key of the rule's."""


@dataclass(slots=True, eq=False)
class Line:
    """A match, and what becomes of it."""

    reaction: Reaction
    nth: int
    match: Match
    outcome: Outcome
    submissions: Sequence[Submission]
    reason: str | None = None
    accepted: Sequence[UUID] = field(default=())
    digest_id: UUID | None = None

    @property
    def is_on(self) -> bool:
        """Whether it is still to be carried out."""
        return self.outcome is Outcome.MATCHED

    def of(self, key: str) -> Person:
        """Return whose it is, under this key."""
        return (self.reaction.event.service, self.match.rule, self.match.person or "", key)


def lines_of(reaction: Reaction) -> Sequence[Line]:
    """Return all matches, in their order."""
    return [
        Line(
            reaction=reaction,
            nth=nth,
            match=match,
            outcome=match.outcome,
            submissions=match.submissions,
            reason=match.reason,
        )
        for nth, match in enumerate(reaction.effects.matches)
    ]
