"""What somebody chose: which categories reach them, and over which channels."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self, TypeAlias

from notifier.notification.model import Channel

ANY = "*"
"""Stands for every category, or every channel, of which nothing closer was chosen."""

Place: TypeAlias = tuple[str, str]
"""A category or `ANY`, and a channel or `ANY`."""


@dataclass(frozen=True, slots=True)
class Choice:
    """That a category is on or off over a channel; either may be `ANY`."""

    category: str
    channel: str
    is_on: bool

    @property
    def place(self) -> Place:
        """Where it stands among somebody's choices."""
        return self.category, self.channel


@dataclass(frozen=True, slots=True)
class Choices:
    """All that somebody chose. Each category and channel has one choice at most."""

    by_place: Mapping[Place, bool] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Choice]:
        """Iterate in the order of categories and channels."""
        return (Choice(*place, is_on) for place, is_on in sorted(self.by_place.items()))

    def __bool__(self) -> bool:
        return bool(self.by_place)

    def of(self, category: str, channel: Channel) -> Choice | None:
        """Return the choice that counts: the closest one. None leaves it to the category."""
        found = (place for place in places(category, channel) if place in self.by_place)
        place = next(found, None)
        return None if place is None else Choice(*place, self.by_place[place])

    def of_alone(self, category: str, channel: Channel) -> Choice | None:
        """Return the choice about this very category, whatever was chosen for all."""
        found = (place for place in places(category, channel)[:2] if place in self.by_place)
        place = next(found, None)
        return None if place is None else Choice(*place, self.by_place[place])

    def changed(self, changes: Mapping[Place, bool | None]) -> Self:
        """Return them with these put in, or taken back where they are None."""
        changed = {**self.by_place, **changes}
        return type(self)({place: on for place, on in changed.items() if on is not None})

    def merged(self, other: Self) -> Self:
        """Return those of two who turn out to be one person: where they differ, off wins."""
        mine, theirs = self.by_place, other.by_place
        return type(self)(
            {
                place: mine.get(place, True) and theirs.get(place, True)
                for place in {**mine, **theirs}
            }
        )

    def encode(self) -> str:
        """Return them as JSON: equal ones as the same text."""
        held: dict[str, dict[str, bool]] = {}
        for choice in self:
            held.setdefault(choice.category, {})[choice.channel] = choice.is_on
        return json.dumps(held, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str | None) -> Self:
        """Return what was encoded; none of None."""
        held: Mapping[str, Mapping[str, bool]] = json.loads(text) if text else {}
        return cls(
            {
                (category, channel): is_on
                for category, each in held.items()
                for channel, is_on in each.items()
            }
        )


def places(category: str, channel: Channel) -> tuple[Place, ...]:
    """Return where a choice is looked for, the closest first."""
    return (category, channel), (category, ANY), (ANY, channel), (ANY, ANY)
