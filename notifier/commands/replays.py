"""Replays: how far they are, and stopping them."""

import asyncio
import os
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer

from notifier.commands.showing import AsJson, Cell, OfService, say, show
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
def list_replays(
    *,
    service: OfService = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the newest replays."""

    async def work() -> list[StoredReplay]:
        async with open_stores(DatabaseSettings.from_env(os.environ)) as stores:
            return list(await stores.replays.list(service=service, limit=limit, after=None))

    show(_REPLAY, [_row(each) for each in asyncio.run(work())], as_json=as_json)


@group.command("show")
def show_one(id: Id, *, as_json: AsJson = False) -> None:
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
    if as_json:
        text = orjson.dumps(row, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode()
        print(text)  # noqa: T201  the command's output
        return
    for name, value in row.items():
        words = ", ".join(f"{each} {n}" for each, n in value.items()) if _is_map(value) else value
        say(f"{name.replace('_', ' ')}: {'' if words is None else words}")


def _is_map(value: object) -> bool:
    return isinstance(value, dict)


@group.command()
def pause(id: Id, *, as_json: AsJson = False) -> None:
    """Try no more again for now; what was tried again goes on."""
    _move(id, State.PAUSED, "It is paused.", as_json=as_json)


@group.command()
def resume(id: Id, *, as_json: AsJson = False) -> None:
    """Go on where it was paused."""
    _move(id, State.RUNNING, "It goes on.", as_json=as_json)


@group.command()
def stop(id: Id, *, as_json: AsJson = False) -> None:
    """End it; what was tried again goes on."""
    _move(id, State.STOPPED, "It is stopped.", as_json=as_json)


@group.command()
def undo(id: Id, *, as_json: AsJson = False) -> None:
    """End it, and make what is not sent yet failed again; a relay does so."""
    _move(id, State.UNDOING, "What is not sent yet is taken back.", as_json=as_json)


def _move(id: UUID, to: State, told: str, *, as_json: bool) -> None:
    async def work() -> object:
        async with open_stores(DatabaseSettings.from_env(os.environ)) as stores:
            return await stores.replays.move(id, to, service=None)

    match asyncio.run(work()):
        case NotFound():
            raise _nothing()
        case Refused(state):
            raise WrongReplayStateError(f"it is {state}: that cannot be asked of it any more")
    if as_json:
        print(orjson.dumps({"id": str(id)}).decode())  # noqa: T201  the command's output
    else:
        say(told)


def _nothing() -> NoSuchReplayError:
    return NoSuchReplayError("there is no replay of this id")


def _row(it: StoredReplay) -> Mapping[str, Cell]:
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
