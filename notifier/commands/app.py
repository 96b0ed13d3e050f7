"""The command line, and what it answers for."""

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from notifier import __version__
from notifier.commands import (
    database,
    dead_letters,
    keys,
    notifications,
    providers,
    running,
    senders,
    suppressions,
    templates,
    topics,
    topology,
)
from notifier.commands.showing import say
from notifier.errors import NotifierError, SchemaError, SettingsError

app = typer.Typer(
    help="A self-hosted notification delivery service.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


app.add_typer(running.group)
app.add_typer(notifications.group)
for name, group in {
    "db": database.group, "topology": topology.group, "keys": keys.group,
    "dead-letters": dead_letters.group, "providers": providers.group,
    "suppressions": suppressions.group, "senders": senders.group, "templates": templates.group,
    "topics": topics.group,
}.items():  # fmt: skip
    app.add_typer(group, name=name)


_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def _say_version(*, is_asked: bool) -> None:
    if is_asked:
        say(f"notifier {__version__}")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda is_asked: _say_version(is_asked=is_asked),
            is_eager=True,
            help="Say which version this is.",
        ),
    ] = False,
) -> None:
    """A self-hosted notification delivery service."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code: 2 for wrong settings, 1 for what failed."""
    try:
        exit_code = _run(arguments)
        if sys.stdout:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        _discard_output()
        return _fail(f"the output could not be written: {error.strerror}", 1)
    return exit_code


def _discard_output() -> None:
    """Let what is still to be written go nowhere, instead of failing once more at the exit."""
    with suppress(OSError), Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _run(arguments: Sequence[str] | None) -> int:
    try:
        app(args=arguments, prog_name="notifier")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except (SettingsError, SchemaError) as error:
        return _fail(str(error), 2)
    except NotifierError as error:
        return _fail(str(error) or type(error).__name__, 1)
    return 0


def _fail(line: str, exit_code: int) -> int:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"notifier: {line}", markup=False)
    return exit_code
