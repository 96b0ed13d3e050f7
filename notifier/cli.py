"""The command line of operators and of process managers."""

import asyncio
import errno
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import Progress

from notifier import __version__, administration, bootstrap, development
from notifier.access.keys import ApiKey
from notifier.audience.suppression import Suppression
from notifier.errors import NotifierError, SchemaError, SettingsError, TopologyError
from notifier.listing import Cell, show
from notifier.notification.model import Channel, Notification
from notifier.notification.outcomes import SuppressionReason
from notifier.providers.standing import Standing
from notifier.queue.rabbitmq.topology import Item
from notifier.settings.groups import BrokerSettings, DatabaseSettings, KeySettings, Settings

app = typer.Typer(
    help="A self-hosted notification delivery service.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
db = typer.Typer(help="The database's schema.", no_args_is_help=True)
topology = typer.Typer(help="The broker's queues and policies.", no_args_is_help=True)
keys = typer.Typer(help="API keys.", no_args_is_help=True)
dead_letters = typer.Typer(help="Failed notifications.", no_args_is_help=True)
providers = typer.Typer(help="Provider accounts and their breakers.", no_args_is_help=True)
suppressions = typer.Typer(help="Addresses not to send to.", no_args_is_help=True)
for name, group in {
    "db": db, "topology": topology, "keys": keys, "dead-letters": dead_letters,
    "providers": providers, "suppressions": suppressions,
}.items():  # fmt: skip
    app.add_typer(group, name=name)

_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}

AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
OfService = Annotated[str | None, typer.Option("--service", help="Only this service's.")]


def _say_version(*, is_asked: bool) -> None:
    if is_asked:
        _say(f"notifier {__version__}")
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


def _settings() -> Settings:
    settings = Settings.from_env(os.environ)
    bootstrap.set_up_logging(settings)
    return settings


def _key_settings() -> KeySettings:
    return KeySettings.from_env(os.environ)


class NotListedError(NotifierError):
    """Raised when what was to be taken off a list is not on it."""


class NotReplayedError(NotifierError):
    """Raised when not all that was named could be replayed."""


@app.command()
def dev(
    folder: Annotated[Path, typer.Option(help="Where the data is kept.")] = Path(".notifier"),
) -> None:
    """Run everything in one process: API, workers, SQLite, sandbox. Nothing is needed."""
    environ = development.environment(folder, os.environ)
    settings = Settings.from_env(environ)
    bootstrap.set_up_logging(settings)
    with bootstrap.alone(settings):
        asyncio.run(administration.upgrade_schema(settings))
        kept = folder / "api-key"
        key = asyncio.run(administration.working_key(settings, development.read_secret(kept)))
        development.keep_secret(kept, key)

        def announce(url: str) -> None:
            text = development.greeting(url, key, folder, development.providers(settings))
            print(text, flush=True)  # noqa: T201  the command's output

        bootstrap.serve_api(settings, announce)


@app.command()
def serve() -> None:
    """Serve the API."""
    settings = _settings()
    with bootstrap.alone(settings):
        bootstrap.serve_api(settings, bootstrap.log_start)


@app.command()
def work() -> None:
    """Run the workers: a parent and NOTIFIER_WORKER__PROCESSES OS processes."""
    bootstrap.run_workers(_settings(), os.environ)


@db.command()
def upgrade() -> None:
    """Bring the database's schema up to this version. Safe to run twice, and at once.

    A newer schema is left as it is: this version works with it.
    """
    settings = DatabaseSettings.from_env(os.environ)
    newer = asyncio.run(administration.upgrade_schema(settings))
    if newer:
        _say(f"The schema is newer than this version, at {newer}: nothing to do.")
    else:
        _say("The schema is up to date.")


@topology.command()
def apply() -> None:
    """Make exchanges, queues, bindings and policies. Safe to run again."""
    report = administration.apply_topology(BrokerSettings.from_env(os.environ))
    _say_items(report.items)
    if not report.is_complete:
        raise TopologyError("not all of it could be made; see the lines above")


@topology.command()
def check(*, as_json: AsJson = False) -> None:
    """Look whether all of it is there and in effect; changes nothing. Exit code 1 if not."""
    report = administration.check_topology(BrokerSettings.from_env(os.environ))
    if as_json:
        show(_ITEM, [asdict(item) for item in report.items], as_json=True)
    else:
        _say_items(report.items)
    if not report.is_complete:
        raise TopologyError("not all of it is as it must be; see what failed above")


def _say_items(items: Iterable[Item]) -> None:
    for item in items:
        _say(f"{item.state:7}{item.kind:10}{item.name}{f': {item.detail}' if item.detail else ''}")


@keys.command()
def create(
    service: Annotated[str, typer.Option(help="The service that sends with it.")],
    scope: Annotated[list[str], typer.Option(help="send, read or admin; repeat for more.")],
    expires_in_days: Annotated[int | None, typer.Option(min=1, max=36_500)] = None,
) -> None:
    """Make an API key and print it, alone, on stdout. It cannot be shown again."""
    lifetime = timedelta(days=expires_in_days) if expires_in_days else None
    print(  # noqa: T201  nothing but the key, for scripts
        asyncio.run(administration.create_key(_key_settings(), service, scope, lifetime))
    )


@keys.command("list")
def list_keys(service: OfService = None, *, as_json: AsJson = False) -> None:
    """List API keys: their ids, services and scopes, never the keys."""
    found = asyncio.run(administration.list_keys(_key_settings(), service))
    show(_KEY, [_key_row(key) for key in found], as_json=as_json)


@keys.command()
def revoke(id: Annotated[str, typer.Argument(help="Its id, or the key itself.")]) -> None:
    """Revoke the API key with this id, for good."""
    revoked = asyncio.run(administration.revoke_key(_key_settings(), id))
    if revoked is None:
        raise SettingsError("there is no API key with this id; see notifier keys list")
    _say(f"Revoked {revoked}.")


@dead_letters.command("list")
def list_dead_letters(
    type: Annotated[Channel | None, typer.Option(help="Only this channel.")] = None,
    service: OfService = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 50,
    *,
    as_json: AsJson = False,
) -> None:
    """List failed notifications, newest first, with their last error."""
    settings = DatabaseSettings.from_env(os.environ)
    failed = asyncio.run(administration.list_failed(settings, type, service, limit))
    show(_FAILED, [_failed_row(each) for each in failed], as_json=as_json)


@dead_letters.command()
def replay(
    id: Annotated[list[UUID] | None, typer.Argument(help="Which; none with --all.")] = None,
    type: Annotated[Channel | None, typer.Option(help="With --all: only this channel.")] = None,
    *,
    all: Annotated[bool, typer.Option("--all", help="Every failed notification.")] = False,
) -> None:
    """Give failed notifications a fresh set of attempts; workers publish them at once."""
    if bool(id) == all:
        raise SettingsError("name the ids to replay, or --all")
    settings = DatabaseSettings.from_env(os.environ)
    if id:
        _say_replayed(asyncio.run(administration.replay_some(settings, id)), of=len(id))
    else:
        with Progress(console=Console(stderr=True)) as progress:
            failed = asyncio.run(administration.count_failed(settings, type))
            bar = progress.add_task("Replaying", total=failed)
            replayed = asyncio.run(
                administration.replay_all(
                    settings, type, lambda done: progress.update(bar, advance=done)
                )
            )
        _say(f"Replayed {replayed}.")


def _say_replayed(replayed: int, *, of: int) -> None:
    _say(f"Replayed {replayed} of {of}.")
    if replayed < of:
        raise NotReplayedError("only what is failed can be replayed, and not once it is erased")


@providers.command("list")
def list_providers(*, as_json: AsJson = False) -> None:
    """List the provider accounts that ever were in trouble, paused or paced."""
    found = asyncio.run(administration.list_providers(DatabaseSettings.from_env(os.environ)))
    show(_PROVIDER, [_provider_row(each) for each in found], as_json=as_json)


@providers.command()
def pause(
    name: str,
    reason: Annotated[str, typer.Option(help="Why, for other operators.")] = "paused by hand",
) -> None:
    """Ask a provider no more until it is resumed. What waits for it keeps its attempts."""
    settings = DatabaseSettings.from_env(os.environ)
    asyncio.run(administration.pause_provider(settings, name, reason))
    _say(f"Paused {name}.")


@providers.command()
def resume(name: str) -> None:
    """End a provider's pause, and close its breaker."""
    asyncio.run(administration.resume_provider(DatabaseSettings.from_env(os.environ), name))
    _say(f"Resumed {name}.")


@suppressions.command("list")
def list_suppressions(
    service: OfService = None,
    type: Annotated[Channel | None, typer.Option(help="Only this channel.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List the addresses that services must not send to, and why."""
    settings = DatabaseSettings.from_env(os.environ)
    found = asyncio.run(administration.list_suppressions(settings, service, type))
    show(_SUPPRESSION, [_suppression_row(each) for each in found], as_json=as_json)


@suppressions.command()
def add(
    recipient: str,
    service: Annotated[str, typer.Option(help="The service that must not send to it.")],
    type: Annotated[Channel, typer.Option(help="The channel.")],
    reason: Annotated[SuppressionReason, typer.Option(help="Why.")] = SuppressionReason.MANUAL,
) -> None:
    """Send nothing to an address any more. Safe to run again."""
    settings = DatabaseSettings.from_env(os.environ)
    asyncio.run(administration.add_suppression(settings, service, type, recipient, reason))
    _say("It is on the list.")


@suppressions.command()
def remove(
    recipient: str,
    service: Annotated[str, typer.Option(help="Whose list it is on.")],
    type: Annotated[Channel, typer.Option(help="The channel.")],
    reason: Annotated[
        str | None, typer.Option(help="Why; needed where the recipient asked not to be sent to.")
    ] = None,
) -> None:
    """Send to an address again."""
    settings = DatabaseSettings.from_env(os.environ)
    removal = administration.remove_suppression(settings, service, type, recipient, reason)
    if not asyncio.run(removal):
        raise NotListedError("it is not on this list; see notifier suppressions list")
    _say("It is off the list.")


_PROVIDER = ("provider", "state", "since", "asked_again_in_s", "trips", "put_off", "reason")
_KEY = ("id", "service", "scopes", "made", "expires", "state")
_FAILED = ("id", "type", "service", "attempts", "failed", "last_error")
_ITEM = ("kind", "name", "state", "detail")
_SUPPRESSION = ("service", "type", "recipient", "reason", "since")


def _provider_row(standing: Standing) -> Mapping[str, Cell]:
    state = standing.state
    waits = bool(state.closed_for_s) and not state.is_paused
    return {
        "provider": state.name,
        "state": state.word,
        "since": state.opened_at,
        "asked_again_in_s": state.closed_for_s if waits else None,
        "trips": state.trips,
        "put_off": standing.put_off.count,
        "reason": state.reason,
    }


def _key_row(key: ApiKey) -> Mapping[str, Cell]:
    return {
        "id": key.id,
        "service": key.service,
        "scopes": sorted(key.scopes),
        "made": key.created_at,
        "expires": key.expires_at,
        "state": "usable" if key.is_usable else "revoked" if key.revoked_at else "expired",
    }


def _failed_row(failed: Notification) -> Mapping[str, Cell]:
    fault = failed.fault
    return {
        "id": str(failed.id),
        "type": failed.channel.value,
        "service": failed.service,
        "attempts": failed.attempts,
        "failed": failed.finished_at,
        "last_error": f"{fault.kind} {fault.code}: {fault.message}" if fault else None,
    }


def _suppression_row(suppression: Suppression) -> Mapping[str, Cell]:
    return {
        "service": suppression.service,
        "type": suppression.channel.value,
        "recipient": suppression.recipient,
        "reason": suppression.reason.value,
        "since": suppression.created_at,
    }


def _say(line: str) -> None:
    Console(highlight=False, soft_wrap=True).print(line, markup=False)
