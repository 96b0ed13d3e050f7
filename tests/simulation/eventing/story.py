"""What services publish in a world: events that follow on one another, some of them twice."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

SOURCE = "/world"
_SHARE_TWICE, _SHARE_GATHERED, _SHARE_OF_A_STRANGER = 0.3, 0.3, 0.05
_STRANGER = "nobody-knows"
_LATER_S = (0.0, 0.0, 1.0, 15.0)
_SPREAD_S = (0.0, 2.0, 25.0)


@dataclass(slots=True)
class Publication:
    """An event, and what its publisher was told each time."""

    event: Mapping[str, Any]
    asked_s: float
    """When it was published first."""
    told: list[str] = field(default_factory=list)
    """The ids that it was told: they have to be one."""
    refusals: list[str] = field(default_factory=list)
    is_unanswered: bool = False
    is_taken: bool = False
    """Whether the broker has it, or had it."""


Chapter: TypeAlias = tuple[float, Sequence[Mapping[str, Any]]]
"""Events that are published at once, and how long after the story's beginning."""


@dataclass(frozen=True, slots=True)
class _Teller:
    chance: random.Random
    people: Sequence[str]
    name: str

    def event(self, type: str, nth: int, **data: object) -> Mapping[str, Any]:
        """Make one; `nth` tells it from others of its type and story."""
        is_strange = self.chance.random() < _SHARE_OF_A_STRANGER
        user_id = _STRANGER if is_strange else self.chance.choice(self.people)
        return {
            "specversion": "1.0",
            "id": f"{self.name}-{type}-{nth}",
            "source": SOURCE,
            "type": type,
            "data": {
                "user_id": user_id,
                "number": f"{self.name}.{type}.{nth}",
                "key": f"{self.name}-{nth}",
                **data,
            },
        }

    def times(self, count: int) -> Sequence[float]:
        """When so many things happen: at once or one after the other."""
        spread_s = self.chance.choice(_SPREAD_S)
        return sorted(self.chance.uniform(0, spread_s) for _ in range(count))


def _orders(teller: _Teller) -> Iterator[Chapter]:
    """An order, placed once more under its key at times, and withdrawn or paid."""
    chance = teller.chance
    for nth, at_s in enumerate(teller.times(2)):
        placed = teller.event("order.placed", nth)
        same = {"key": placed["data"]["key"], "user_id": placed["data"]["user_id"]}
        yield at_s, [placed]
        if chance.random() < 0.3:
            yield at_s + chance.choice((0.0, 1.0)), [teller.event("order.placed", nth + 10, **same)]
        if (end := chance.choice((None, "order.withdrawn", "order.paid"))) is not None:
            yield at_s + chance.choice((0.05, 3.0, 17.0, 25.0)), [teller.event(end, nth, **same)]


def _remarks(teller: _Teller) -> Iterator[Chapter]:
    """Remarks in two threads, of which some are withdrawn."""
    chance = teller.chance
    made = [
        (at_s, teller.event("remark.made", nth, thread=f"{teller.name}-{chance.choice('ab')}"))
        for nth, at_s in enumerate(teller.times(chance.choice((1, 3, 6))))
    ]
    yield from ((at_s, [each]) for at_s, each in made)
    for nth, (at_s, each) in enumerate(made):
        if chance.random() < 0.3:
            gone = teller.event("remark.withdrawn", nth, key=each["data"]["key"])
            yield at_s + chance.choice((0.05, 5.0, 19.9, 20.4)), [gone]


def _likes(teller: _Teller) -> Iterator[Chapter]:
    count = teller.chance.choice((2, 5, 9))
    liked = [teller.event("like.given", nth) for nth in range(count)]
    if teller.chance.random() < _SHARE_GATHERED:
        yield 0.0, liked
    else:
        yield from ((at_s, [each]) for at_s, each in zip(teller.times(count), liked, strict=True))


def _visits(teller: _Teller) -> Iterator[Chapter]:
    times = teller.times(teller.chance.choice((3, 6)))
    yield from ((at_s, [teller.event("visit.paid", nth)]) for nth, at_s in enumerate(times))


def _payments(teller: _Teller) -> Iterator[Chapter]:
    times = teller.times(2)
    yield from ((at_s, [teller.event("payment.made", nth)]) for nth, at_s in enumerate(times))


_STORIES: Sequence[Callable[[_Teller], Iterator[Chapter]]] = (
    _orders,
    _remarks,
    _likes,
    _visits,
    _payments,
)


def story(share: float, people: Sequence[str], name: str) -> Iterator[Chapter]:
    """Return what is published: the story at this share of them all, about these people."""
    chance = random.Random(name)
    tell = _STORIES[int(share * len(_STORIES)) % len(_STORIES)]
    for at_s, published in tell(_Teller(chance, people, name)):
        yield at_s, published
        if chance.random() < _SHARE_TWICE:
            yield at_s + chance.choice(_LATER_S), published
