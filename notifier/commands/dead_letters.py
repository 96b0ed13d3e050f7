"""Failed notifications."""

import asyncio
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import Progress
from uuid_utils.compat import uuid7

from notifier.commands.acting import login
from notifier.commands.answering import answering
from notifier.commands.correcting import correct_all, corrected_answer, read_variables
from notifier.commands.showing import Answer, Aside, Columns, OfService, table, told
from notifier.composition.resources import open_stores
from notifier.composition.settings import read_settings
from notifier.errors import NotifierError, SettingsError
from notifier.idempotency import NotFound
from notifier.intake.forwarding import Edit
from notifier.notification.model import Channel, Notification, Status
from notifier.notification.orders import Erased, MoveResult, Refused
from notifier.notification.reading import NotificationFilter
from notifier.notification.transitions import REPLAY
from notifier.replays.replay import (
    DEFAULT_RATE_PER_S,
    MAX_RATE_PER_S,
    MAX_REASON_CHARS,
    Group,
    Replay,
    Selection,
    Survey,
)
from notifier.settings.groups import DatabaseSettings

group = typer.Typer(help="Failed notifications.", no_args_is_help=True)


_FAILED = ("id", "type", "service", "attempts", "failed", "last_error")


_PAGE = 500


_GROUP = ("count", "type", "provider", "code", "template", "service", "first", "last")
_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]

OfType = Annotated[Channel | None, typer.Option("--type", "--channel", help="Only this channel.")]
OfProvider = Annotated[str | None, typer.Option("--provider", help="This one was asked last.")]
OfCode = Annotated[str | None, typer.Option("--code", help="The last error's, such as 550.")]
OfTemplate = Annotated[str | None, typer.Option("--template", help="Its name, of any version.")]
Since = Annotated[
    datetime | None,
    typer.Option("--since", help="Accepted then (UTC) or later.", formats=_FORMATS),
]
Until = Annotated[
    datetime | None,
    typer.Option("--until", help="Accepted before this time (UTC).", formats=_FORMATS),
]
WithDiscarded = Annotated[
    bool, typer.Option("--with-discarded", help="Those that were discarded too.")
]


class NotReplayedError(NotifierError):
    """Raised when not all that was named could be replayed."""


@group.command("list")
@answering
def list_dead_letters(
    type: Annotated[Channel | None, typer.Option(help="Only this channel.")] = None,
    service: OfService = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 50,
) -> Answer:
    """List failed notifications, newest first, with their last error."""
    settings = DatabaseSettings.from_env(os.environ)
    failed = asyncio.run(list_failed(settings, type, service, limit))
    return table(_FAILED, [_failed_row(each) for each in failed])


@group.command()
@answering
def groups(
    *,
    type: OfType = None,
    service: OfService = None,
    provider: OfProvider = None,
    code: OfCode = None,
    template: OfTemplate = None,
    since: Since = None,
    until: Until = None,
    with_discarded: WithDiscarded = False,
) -> Answer:
    """Group failed notifications by their cause, the largest group first."""
    filter = _filter(type, provider, code, template, since, until)
    selection = Selection(service=service, filter=filter, with_discarded=with_discarded)
    return _surveyed(asyncio.run(_survey(selection)))


@group.command()
@answering
def discard(
    id: Annotated[list[UUID] | None, typer.Argument(help="None but these.")] = None,
    *,
    reason: Annotated[str, typer.Option(help="Why; the timelines say so.")],
    type: OfType = None,
    service: OfService = None,
    provider: OfProvider = None,
    code: OfCode = None,
    template: OfTemplate = None,
    since: Since = None,
    until: Until = None,
) -> Answer:
    """Give letters up: they leave the dead queues, and their records stay failed."""
    filter = _filter(type, provider, code, template, since, until)
    ids = frozenset(id or ())
    if not ids and filter == NotificationFilter() and service is None:
        raise SettingsError("name the ids to discard, or say which by a filter")
    if not 0 < len(reason.strip()) <= MAX_REASON_CHARS:
        raise SettingsError(f"--reason: expected 1 to {MAX_REASON_CHARS} characters")
    selection = Selection(service=service, filter=filter, ids=ids)
    discarded = asyncio.run(_discard(selection, reason.strip()))
    return told(f"Discarded {discarded}.", discarded=discarded)


@group.command()
@answering
def correct(
    id: Annotated[list[UUID] | None, typer.Argument(help="None but these.")] = None,
    *,
    recipient: Annotated[
        str | None, typer.Option(help="Another address, for one letter named by its id.")
    ] = None,
    variable: Annotated[
        list[str] | None,
        typer.Option(help="name=value, set in all of them; repeat for more."),
    ] = None,
    type: OfType = None,
    service: OfService = None,
    provider: OfProvider = None,
    code: OfCode = None,
    template: OfTemplate = None,
    since: Since = None,
    until: Until = None,
    rate: Annotated[
        int, typer.Option(min=1, max=MAX_RATE_PER_S, help="How many in a second.")
    ] = DEFAULT_RATE_PER_S,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing, and say what it would come to.")
    ] = False,
) -> Answer:
    """Send letters anew, to another address or with other variables.

    Each as a notification of its own; the letter is discarded, and each names the other. What
    cannot be filled so stays as it is. A value is JSON where it reads as that, else a text.
    """
    edit = Edit(recipient=recipient, variables=read_variables(variable or ()))
    if edit == Edit():
        raise SettingsError("say what is otherwise: --recipient, or --variable name=value")
    if recipient is not None and len(id or ()) != 1:
        raise SettingsError("--recipient is for one letter: name its id")
    filter = _filter(type, provider, code, template, since, until)
    selection = Selection(service=service, filter=filter, ids=frozenset(id or ()))
    work = correct_all(read_settings(os.environ), selection, edit, rate, dry_run=dry_run)
    return corrected_answer(asyncio.run(work), dry_run=dry_run)


@group.command()
@answering
def replay(
    id: Annotated[list[UUID] | None, typer.Argument(help="Which; none with --all.")] = None,
    type: OfType = None,
    *,
    all: Annotated[bool, typer.Option("--all", help="Every failed notification.")] = False,
    service: OfService = None,
    provider: OfProvider = None,
    code: OfCode = None,
    template: OfTemplate = None,
    since: Since = None,
    until: Until = None,
    with_discarded: WithDiscarded = False,
    rate: Annotated[
        int | None, typer.Option(min=1, max=MAX_RATE_PER_S, help="How many in a second.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Try none again, and say what it would come to.")
    ] = False,
) -> Answer:
    """Give failed notifications a fresh set of attempts; workers publish them at once.

    With a filter, --rate or --dry-run it is a replay at a rate, which a relay works off: its id is
    printed, alone.
    """
    filter = _filter(None, provider, code, template, since, until)
    if service or rate or dry_run or with_discarded or filter != NotificationFilter():
        if id and all:
            raise SettingsError("name the ids to replay, or --all")
        selection = Selection(
            service=service,
            filter=replace(filter, channels=_channels(type)),
            ids=frozenset(id or ()),
            with_discarded=with_discarded,
        )
        return _begin(selection, rate or DEFAULT_RATE_PER_S, dry_run=dry_run)
    if bool(id) == all:
        raise SettingsError("name the ids to replay, or --all")
    settings = DatabaseSettings.from_env(os.environ)
    if id:
        return _replayed(asyncio.run(replay_some(settings, id)))
    return _all_replayed(settings, type)


def _all_replayed(settings: DatabaseSettings, type: Channel | None) -> Answer:
    with Progress(console=Console(stderr=True)) as progress:
        failed = asyncio.run(count_failed(settings, type))
        bar = progress.add_task("Replaying", total=failed)
        replayed = asyncio.run(
            replay_all(settings, type, lambda done: progress.update(bar, advance=done))
        )
    words = [f"Replayed {replayed}."]
    if replayed < failed:
        words.append(f"{failed - replayed} could not be: what they said is erased.")
    return Answer(value={"replayed": replayed, "erased": failed - replayed}, words=words)


def _begin(selection: Selection, rate: int, *, dry_run: bool) -> Answer:
    survey = asyncio.run(_survey(selection))
    if dry_run:
        return _surveyed(survey)
    replay = Replay(
        id=uuid7(),
        selection=selection,
        rate_per_s=rate,
        begun_by=login(),
        expected=survey.expected,
    )
    asyncio.run(_store(replay))
    value = {"id": replay.id, "expected": replay.expected}
    return Answer(value=value, words=[str(replay.id)])


async def _store(replay: Replay) -> None:
    async with open_stores(DatabaseSettings.from_env(os.environ)) as stores:
        await stores.replays.begin(replay)


async def _survey(selection: Selection) -> Survey:
    async with open_stores(DatabaseSettings.from_env(os.environ)) as stores:
        return await stores.letters.survey(selection)


async def _discard(selection: Selection, reason: str) -> int:
    discarded = 0
    async with open_stores(DatabaseSettings.from_env(os.environ)) as stores:
        while some := await stores.letters.discard(selection, reason=reason, by=login()):
            discarded += some
    return discarded


def _surveyed(survey: Survey) -> Answer:
    rows = [_group_row(each) for each in survey.groups]
    skipped = {why.value: count for why, count in survey.skipped.items()}
    counts = {"selected": survey.selected, "replayable": survey.replayable}
    value = {**counts, "skipped": skipped, "is_part": survey.is_part, "groups": rows}
    refused = "".join(f", {count} {why}" for why, count in skipped.items())
    part = " among the newest failed ones that were looked at" if survey.is_part else ""
    words = f"{survey.selected} selected{part}: {survey.replayable} to replay{refused}."
    return Answer(value=value, words=[Columns(_GROUP, rows), Aside(words)])


def _group_row(group: Group) -> Mapping[str, object]:
    cause = group.cause
    return {
        "count": group.letters,
        "type": cause.channel.value,
        "provider": cause.provider,
        "code": cause.error_code,
        "template": cause.template,
        "service": cause.service,
        "first": group.first_at,
        "last": group.last_at,
    }


def _filter(
    type: Channel | None,
    provider: str | None,
    code: str | None,
    template: str | None,
    since: datetime | None,
    until: datetime | None,
) -> NotificationFilter:
    return NotificationFilter(
        channels=_channels(type),
        provider=provider,
        error_code=code,
        template=template,
        created_from=since and since.replace(tzinfo=UTC),
        created_before=until and until.replace(tzinfo=UTC),
    )


def _channels(type: Channel | None) -> Collection[Channel]:
    return frozenset({type}) if type else ()


def _replayed(results: Mapping[UUID, MoveResult]) -> Answer:
    refused = {id: why for id, result in results.items() if (why := _why_not(result))}
    replayed = [id for id in results if id not in refused]
    words = "; ".join(f"{id} {why}" for id, why in refused.items())
    return Answer(
        value={"replayed": replayed, "refused": refused},
        words=[f"Replayed {len(replayed)} of {len(results)}."],
        failing=NotReplayedError(words) if refused else None,
    )


def _why_not(result: MoveResult) -> str | None:
    match result:
        case Erased():
            return "cannot be replayed: what it said is erased"
        case Refused(status):
            return f"is {status}: only what is failed can be replayed"
        case NotFound():
            return "is no notification"
        case _:
            return None


async def list_failed(
    settings: DatabaseSettings, channel: Channel | None, service: str | None, limit: int
) -> Sequence[Notification]:
    """The failed notifications of a channel and a service (None: of all), newest first."""
    found: list[Notification] = []
    after: UUID | None = None
    async with open_stores(settings) as stores:
        while len(found) < limit:
            page = await stores.queries.list(
                _failed(channel), service=service, limit=limit - len(found), after=after
            )
            found += page.items
            if (after := page.goes_on_after) is None:
                break
    return found


async def replay_some(settings: DatabaseSettings, ids: Sequence[UUID]) -> Mapping[UUID, MoveResult]:
    """Replay these, each named once; returns what became of each."""
    async with open_stores(settings) as stores:
        return {id: await stores.orders.move(REPLAY, id, service=None) for id in dict.fromkeys(ids)}


async def replay_all(
    settings: DatabaseSettings, channel: Channel | None, advance: Callable[[int], None]
) -> int:
    """Replay every failed notification of a channel (None: of all), page by page.

    `advance` is called with the number of each page; returns how many were replayed.
    """
    total = 0
    after: UUID | None = None
    async with open_stores(settings) as stores:
        while page := await stores.orders.replay_failed(channel=channel, limit=_PAGE, after=after):
            after = page[-1]
            total += len(page)
            advance(len(page))
    return total


async def count_failed(settings: DatabaseSettings, channel: Channel | None) -> int:
    """How many notifications of a channel (None: of all) are failed."""
    async with open_stores(settings) as stores:
        return await stores.queries.count(_failed(channel), service=None)


def _failed(channel: Channel | None) -> NotificationFilter:
    return NotificationFilter(statuses={Status.FAILED}, channels={channel} if channel else ())


def _failed_row(failed: Notification) -> Mapping[str, object]:
    fault = failed.fault
    return {
        "id": str(failed.id),
        "type": failed.channel.value,
        "service": failed.service,
        "attempts": failed.attempts,
        "failed": failed.finished_at,
        "last_error": f"{fault.kind} {fault.code}: {fault.message}" if fault else None,
    }
