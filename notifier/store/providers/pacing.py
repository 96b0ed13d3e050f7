"""The pace of a provider account: evenly spaced turns, whoever asks for them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Float, select, update
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.store.kit.sql import ClockSeconds, parameter
from notifier.store.providers.tables import providers

_which = providers.c.name == parameter("which")
_LOCK = (
    select(providers.c.next_turn_s, ClockSeconds().label("clock_s"))
    .where(_which)
    .with_for_update(of=providers)
)
_TAKE = update(providers).where(_which).values(next_turn_s=parameter("turn_s", Float))
_MAKE = (
    insert(providers)
    .values(name=parameter("which"), is_paused=False, trips=0)
    .on_conflict_do_nothing()
)


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """One caller's wish for a turn, if it comes within `patience_s`."""

    provider: str
    rate_per_s: float
    patience_s: float


@dataclass(frozen=True, slots=True)
class Turn:
    """When a turn comes, by the database's clock in seconds since 1970, and how long until then."""

    at_s: float
    delay_s: float


async def reserve(connection: AsyncConnection, wishes: Sequence[Wish]) -> list[Turn | None]:
    """Take turns for as many of these callers as have the patience; the others cost none."""
    turns: dict[Wish, Turn] = {}
    ordered = sorted(wishes, key=lambda wish: (wish.provider, wish.patience_s))
    for provider, group in groupby(ordered, key=lambda wish: wish.provider):
        turns |= await _reserve(connection, provider, list(group))
    return [turns.get(wish) for wish in wishes]


async def _reserve(
    connection: AsyncConnection, provider: str, wishes: Sequence[Wish]
) -> dict[Wish, Turn]:
    clock_s, next_turn_s = await _lock(connection, provider)
    turns = dict(_turns(wishes, clock_s, max(next_turn_s, clock_s)))
    if turns:
        last, turn = list(turns.items())[-1]
        following_s = turn.at_s + 1 / last.rate_per_s
        await connection.execute(_TAKE, {"which": provider, "turn_s": following_s})
    return turns


def _turns(wishes: Sequence[Wish], clock_s: float, turn_s: float) -> Iterator[tuple[Wish, Turn]]:
    for wish in wishes:
        if turn_s - clock_s <= wish.patience_s:
            yield wish, Turn(turn_s, turn_s - clock_s)
            turn_s += 1 / wish.rate_per_s


async def _lock(connection: AsyncConnection, provider: str) -> tuple[float, float]:
    """Return the time and the next turn, which nobody else takes until this transaction ends."""
    found = (await connection.execute(_LOCK, {"which": provider})).one_or_none()
    if found is None:
        await connection.execute(_MAKE, {"which": provider})
        found = (await connection.execute(_LOCK, {"which": provider})).one()
    return found.clock_s, found.next_turn_s or 0.0
