"""How faults are done: what each kind may hit, and doing it until it is mended."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tools.chaos.plan import Kind, Planned

A = TypeVar("A")
BROKER, DATABASE = "broker", "database"


@dataclass(frozen=True, slots=True)
class Target:
    """What a fault may hit, and what of the whole it breaks: one fault at a time does."""

    name: str
    part: str


@dataclass(frozen=True, slots=True)
class Injector:
    """How a kind of fault is done: `inject` returns once what it hit is whole again."""

    targets: Sequence[Target]
    inject: Callable[[str, Planned], Awaitable[None]]


Injectors = Mapping[Kind, Injector]


def on_each(
    things: Mapping[str, A],
    inject: Callable[[A, Planned], Awaitable[None]],
    part_of: Callable[[str], str] = str,
) -> Injector:
    """A fault that hits one of these; each is a part of its own if not said otherwise."""

    async def at(name: str, planned: Planned) -> None:
        await inject(things[name], planned)

    return Injector([Target(name, part_of(name)) for name in things], at)


def on(name: str, inject: Callable[[Planned], Awaitable[None]]) -> Injector:
    """A fault that has one thing to hit."""

    async def at(_name: str, planned: Planned) -> None:
        await inject(planned)

    return Injector([Target(name, name)], at)


async def in_thread(*steps: Callable[[], object]) -> None:
    """Take steps that block, one after the other."""
    for step in steps:
        await asyncio.to_thread(step)
