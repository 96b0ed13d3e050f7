"""The command line, and what it answers for."""

import errno
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from notifier import __version__
from notifier.audit import acting
from notifier.commands.acting import act_of
from notifier.commands.failing import exit_code_of, words_of
from notifier.commands.showing import say
from notifier.errors import NotifierError
from notifier.importing import imported


@dataclass(frozen=True, slots=True)
class Listed:
    """A command or a group of them, as the list of all shows it, and the module that has it."""

    module: str
    help: str


COMMANDS: Mapping[str, Listed] = {
    "dev": Listed(
        "one_process",
        "Run everything in one process: API, workers, SQLite, sandbox. Nothing is needed.",
    ),
    "demo": Listed(
        "demo",
        "Send believable traffic with failures, as three services, to a notifier that runs.",
    ),
    "serve": Listed("api", "Serve the API."),
    "work": Listed(
        "work", "Run the workers: a parent and NOTIFIER_WORKER__PROCESSES OS processes."
    ),
    "status": Listed(
        "notifications",
        "Say where a notification stands, and how it came there; never its address or content.",
    ),
    "send": Listed(
        "notifications",
        "Accept a notification as the API would, and print its id, alone. A relay publishes it.",
    ),
    "notifications": Listed("searches", "Searches, and sending to another address."),
    "doctor": Listed(
        "doctor", "Look at everything that notifier needs, and say what to do; sends nothing."
    ),
    "db": Listed("database", "The database's schema."),
    "topology": Listed("topology", "The broker's queues and policies."),
    "keys": Listed("keys", "API keys."),
    "operators": Listed("operators", "People who sign in to the console."),
    "dead-letters": Listed("dead_letters", "Failed notifications."),
    "replays": Listed("replays", "Failed notifications that are tried again, many at a time."),
    "providers": Listed("providers", "Provider accounts and their breakers."),
    "suppressions": Listed("suppressions", "Addresses not to send to."),
    "senders": Listed("senders", "As whom services may send mails."),
    "templates": Listed("templates", "Templates: as files, and on a server."),
    "rules": Listed("rules", "Rules: as files, and on a server."),
    "erasures": Listed("erasures", "Erasing people, and the receipts of that."),
    "retention": Listed("retention", "How long notifications are kept."),
    "categories": Listed("categories", "Categories, by which people choose."),
    "recipients": Listed("recipients", "People: how to reach them, and how they are known."),
    "preferences": Listed("preferences", "What people want, and when they are left in peace."),
    "topics": Listed("topics", "Topics, and who is told about them."),
    "broadcasts": Listed("broadcasts", "One template to many people."),
    "schedules": Listed("schedules", "A template again and again."),
    "events": Listed("events", "What happened, and what came of it."),
    "digests": Listed("digests", "What several events come to, sent as one."),
    "workers": Listed("workers", "Notifier's processes: workers, their runners and APIs."),
    "audit": Listed("audit", "Who changed what."),
    "statistics": Listed(
        "statistics",
        "Say how many were accepted, sent and failed over time, and how fast.",
    ),
}


class _Root(TyperGroup):
    """Imports a command's module once it is called: no command needs all of notifier."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, listed, rest = super().resolve_command(ctx, args)
        if name is None:
            return name, listed, rest
        found = command(name)
        if rest and isinstance(found, TyperGroup):
            ctx.with_resource(acting(act_of(name, rest)))
        return name, found, rest


def command(name: str) -> Any:
    """The command, or the group of commands, of this name, from its module."""
    group = get_group(imported(f"notifier.commands.{COMMANDS[name].module}").group)
    return group.commands.get(name, group)


app = typer.Typer(
    cls=_Root,
    help="A self-hosted notification delivery service.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for _name, _listed in COMMANDS.items():
    app.add_typer(typer.Typer(), name=_name, help=_listed.help)


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
    except NotifierError as error:
        return _fail(words_of(error), exit_code_of(error))
    return 0


def _fail(line: str, exit_code: int) -> int:
    say(f"notifier: {line}", aside=True)
    return exit_code
