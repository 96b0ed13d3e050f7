"""Templates: as files, and on a server."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from notifier.api.templates.branding import BrandShape
from notifier.clock import SystemClock
from notifier.commands.answering import Steps, answering, finish
from notifier.commands.branding import Branding, brand_of, tell_of_brand
from notifier.commands.calling import ActingFor, ApiClient, AtUrl
from notifier.commands.declaring import pull_categories, switchable_of
from notifier.commands.folders import READY_MADE, TemplateFolder
from notifier.commands.showing import Answer, refused
from notifier.commands.syncing import (
    THERE_ALREADY,
    Findings,
    Pushing,
    Server,
    content_of,
    differences,
    digests,
    in_order,
    tell,
    with_taken_in,
    written,
)
from notifier.commands.syncing import pull as pull_one
from notifier.content.brand import Brand, default_brand
from notifier.content.folder import in_file
from notifier.content.library import Partial
from notifier.content.shared import Shared
from notifier.content.template import Content
from notifier.errors import SettingsError
from notifier.rendering.workshop import ChildWorkshop

_NO_SERVICE = "your service"

group = typer.Typer(help="Templates: as files, and on a server.", no_args_is_help=True)


InFolder = Annotated[Path, typer.Argument(help="The folder of the templates.", file_okay=False)]
Only = Annotated[
    list[str] | None, typer.Option("--only", help="Only this template; repeat for more.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what was changed meanwhile.")]
Publish = Annotated[bool, typer.Option("--publish", help="Publish what has no errors.")]


@group.command()
@answering
def pull(
    folder: InFolder = Path("templates"),
    only: Only = None,
    *,
    force: Force = False,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Iterator[Answer]:
    """Write the server's drafts into a folder. What was changed here is left alone."""
    client = ApiClient.of_environment(url, service)
    server, kept = Server(client), TemplateFolder(folder)
    names = _chosen(server.names(), only)
    folder.mkdir(parents=True, exist_ok=True)
    brand = Branding(client, kept, server.place)
    beside = [] if only else [brand.pull(is_forced=force), pull_categories(client, kept)]
    return finish([*beside, *(pull_one(server, kept, name, is_forced=force) for name in names)])


@group.command()
@answering
def push(
    folder: InFolder = Path("templates"),
    only: Only = None,
    *,
    publish: Publish = False,
    force: Force = False,
    expect: Annotated[
        Path | None,
        typer.Option(help="A folder of what the server may have: the state before, in CI."),
    ] = None,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Iterator[Answer]:
    """Write a folder's templates to the server, as drafts. What was changed there is left alone."""
    client = ApiClient.of_environment(url, service)
    server, kept = Server(client), TemplateFolder(folder)
    before = TemplateFolder(expect) if expect else None
    pushing = Pushing(
        server=server,
        source=kept,
        agreed=_agreed(kept, server, before),
        agree=partial(kept.agree, server.place),
        is_forced=force,
        is_publishing=publish,
    )
    names = _chosen(kept.names(), only)
    brand = Branding(client, kept, server.place)
    beside = [] if only else [brand.push(before, is_forced=force)]
    return finish([*beside, *map(pushing.push, in_order(kept, names))])


@group.command()
@answering
def diff(
    folder: InFolder = Path("templates"),
    only: Only = None,
    *,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Answer:
    """Show how a folder differs from the server's drafts; exit code 1 if it does."""
    client = ApiClient.of_environment(url, service)
    server, kept = Server(client), TemplateFolder(folder)
    names = _chosen(sorted({*server.names(), *kept.names()}), only)
    lines = [] if only else [*Branding(client, kept, server.place).differences()]
    lines += [line for name in names for line in differences(server, kept, name)]
    return Answer(value={"diff": lines}, words=lines, failing=typer.Exit(1) if lines else None)


@group.command()
@answering
def check(folder: InFolder = Path("templates"), only: Only = None) -> Iterator[Answer]:
    """Say what is wrong with a folder's templates, without a server; exit code 1 on errors.

    Which categories people can switch off is in categories.json, which pull writes.
    """
    kept = TemplateFolder(folder)
    names = _chosen(kept.names(), only)
    if not names:
        raise SettingsError(f"{folder}: there are no templates")
    beside = [] if only else [_looked_at_brand(kept)]
    checked = asyncio.run(_checked(kept, names))
    return finish([*beside, *(tell(kept, name, found) for name, found in checked.items())])


@group.command()
@answering
def install(
    only: Only = None,
    *,
    folder: Annotated[
        Path | None, typer.Option(file_okay=False, help="Write them here, and to no server.")
    ] = None,
    publish: Publish = False,
    force: Force = False,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Iterator[Answer]:
    """Install the ready-made templates, on the server or in a folder; they are yours from then."""
    names = with_taken_in(READY_MADE, _chosen(READY_MADE.names(), only))
    if folder is not None:
        kept = TemplateFolder(folder)
        return finish(_copied(kept, name, force=force) for name in names)
    pushing = Pushing(
        server=Server(ApiClient.of_environment(url, service)),
        source=READY_MADE,
        agreed={},
        agree=lambda _name, _digest: None,
        is_forced=force,
        is_publishing=publish,
        otherwise=THERE_ALREADY,
    )
    return finish(map(pushing.push, names))


def _agreed(
    kept: TemplateFolder, server: Server, before: TemplateFolder | None
) -> Mapping[str, Collection[str]]:
    expected = digests(before) if before else {}
    known = kept.agreed(server.place)
    return {
        name: {each[name] for each in (known, expected) if name in each}
        for name in (*known, *expected)
    }


def _copied(kept: TemplateFolder, name: str, *, force: bool) -> Steps:
    files = READY_MADE.files(name)
    assert isinstance(files, Mapping)  # noqa: S101  they are the package's own
    if name in kept.names() and kept.files(name) != files and not force:
        yield refused(name, THERE_ALREADY)
        return False
    kept.write(name, files)
    yield written(name)
    return True


async def _checked(kept: TemplateFolder, names: Sequence[str]) -> Mapping[str, Findings]:
    workshop = ChildWorkshop(SystemClock())
    shared = Shared(brand=_brand(kept), partials=_partials(kept), switchable=switchable_of(kept))
    try:
        return {name: await _found(workshop, kept, name, shared) for name in names}
    finally:
        await workshop.close()


def _looked_at_brand(kept: TemplateFolder) -> Steps:
    shape = brand_of(kept)
    return (yield from tell_of_brand(kept, shape if isinstance(shape, Sequence) else ()))


def _brand(kept: TemplateFolder) -> Brand:
    shape = brand_of(kept)
    return shape.brand(_NO_SERVICE) if isinstance(shape, BrandShape) else default_brand(_NO_SERVICE)


def _partials(kept: TemplateFolder) -> Mapping[str, Partial]:
    contents = {name: content_of(kept, name) for name in kept.names()}
    return {
        name: Partial(1, content)
        for name, content in contents.items()
        if isinstance(content, Content) and content.is_partial
    }


async def _found(
    workshop: ChildWorkshop, kept: TemplateFolder, name: str, shared: Shared
) -> Findings:
    content = content_of(kept, name)
    if not isinstance(content, Content):
        return content
    checked = await workshop.check(content, shared)
    return [in_file(each) for each in checked.findings]


def _chosen(names: Sequence[str], only: Sequence[str] | None) -> Sequence[str]:
    unknown = sorted(set(only or ()) - set(names))
    if unknown:
        raise SettingsError(f"there is no template {unknown[0]}; there are {', '.join(names)}")
    return [each for each in names if only is None or each in only]
