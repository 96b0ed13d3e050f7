"""Replays: how far they are, and stopping them."""

import asyncio
import os
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

import typer

from notifier.commands.answering import answering
from notifier.commands.showing import Answer, OfService, table, told
from notifier.composition.resources import open_stores
from notifier.errors import NotifierError
from notifier.idempotency import NotFound
from notifier.replays.replay import Refused, State, StoredReplay
from notifier.settings.groups import DatabaseSettings

group = typer.Typer(
    help="Failed notifications that are tried again, many at a time.", no_args_is_help=True
)

Id = Annotated[UUID, typer.Argument(help="The replay's id.")]

_REPLAY = (
    "id", "service", "state", "rate_per_s", "expected", "selected", "replayed", "skipped",
    "undone", "begun_by", "created_at",
)  # fmt: skip


class NoSuchReplayError(NotifierError):
    """Raised when there is no replay of an id."""


class WrongReplayStateError(NotifierError):
    """Raised when a replay's state does not allow what is asked."""


@group.command("list")
@answering
def list_replays(
    *,
    service: OfService = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 50,
) -> Answer:
    """List the newest replays."""

    async def work() -> list[StoredReplay]:
        async with open_stores(DatabaseSettings.from_env(os.environ)) as stores:
            return list(await stores.replays.list(service=service, limit=limit, after=None))

    return table(_REPLAY, [_row(each) for each in asyncio.run(work())])


@group.command("show")
@answering
def show_one(id: Id) -> Answer:
    """Show how far a replay is, and where its notifications stand."""

    async def work() -> StoredReplay | NotFound:
        async with open_stores(DatabaseSettings.from_env(os.environ)) as stores:
            return await stores.replays.get(id, service=None)

    found = asyncio.run(work())
    if isinstance(found, NotFound):
        raise _nothing()
    by_status = {status.value: count for status, count in found.by_status.items()}
    skipped = {why.value: count for why, count in found.counts.skipped.items()}
    row: dict[str, Any] = {**_row(found), "skipped": skipped, "by_status": by_status}
    return Answer(value=row, words=[_line(name, value) for name, value in row.items()])


def _line(name: str, value: Any) -> str:
    is_map = isinstance(value, dict)
    words = ", ".join(f"{each} {n}" for each, n in value.items()) if is_map else value
    return f"{name.replace('_', ' ')}: {'' if words is None else words}"


@group.command()
@answering
def pause(id: Id) -> Answer:
    """Try no more again for now; what was tried again goes on."""
    return _move(id, State.PAUSED, "It is paused.")


@group.command()
@answering
def resume(id: Id) -> Answer:
    """Go on where it was paused."""
    return _move(id, State.RUNNING, "It goes on.")


@group.command()
@answering
def stop(id: Id) -> Answer:
    """End it; what was tried again goes on."""
    return _move(id, State.STOPPED, "It is stopped.")


@group.command()
@answering
def undo(id: Id) -> Answer:
    """End it, and make what is not sent yet failed again; a relay does so."""
    return _move(id, State.UNDOING, "What is not sent yet is taken back.")


def _move(id: UUID, to: State, words: str) -> Answer:
    async def work() -> object:
        async with open_stores(DatabaseSettings.from_env(os.environ)) as stores:
            return await stores.replays.move(id, to, service=None)

    match asyncio.run(work()):
        case NotFound():
            raise _nothing()
        case Refused(state):
            raise WrongReplayStateError(f"it is {state}: that cannot be asked of it any more")
    return told(words, id=id, state=to)


def _nothing() -> NoSuchReplayError:
    return NoSuchReplayError("there is no replay of this id")


def _row(it: StoredReplay) -> Mapping[str, object]:
    return {
        "id": str(it.id),
        "service": it.selection.service,
        "state": it.state.value,
        "rate_per_s": it.rate_per_s,
        "expected": it.expected,
        "selected": it.counts.selected,
        "replayed": it.counts.replayed,
        "skipped": sum(it.counts.skipped.values()),
        "undone": it.counts.undone,
        "begun_by": it.begun_by,
        "created_at": it.created_at,
    }
