"""Running notifier: the API, the workers, or all in one process."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from notifier.commands.database import upgrade_schema
from notifier.commands.keys import working_key
from notifier.composition import development
from notifier.composition.api import log_start, serve_api
from notifier.composition.one_process import alone
from notifier.composition.resources import set_up_logging
from notifier.composition.settings import read_settings
from notifier.composition.workers import run_workers
from notifier.settings.groups import Settings

group = typer.Typer()


@group.command()
def dev(
    folder: Annotated[Path, typer.Option(help="Where the data is kept.")] = Path(".notifier"),
) -> None:
    """Run everything in one process: API, workers, SQLite, sandbox. Nothing is needed."""
    environ = development.environment(folder, os.environ)
    settings = read_settings(environ)
    set_up_logging(settings)
    with alone(settings):
        asyncio.run(upgrade_schema(settings))
        kept = folder / "api-key"
        key = asyncio.run(working_key(settings, development.read_secret(kept)))
        development.keep_secret(kept, key)

        def announce(url: str) -> None:
            text = development.greeting(url, key, folder, development.providers(settings))
            print(text, flush=True)  # noqa: T201  the command's output

        serve_api(settings, announce)


@group.command()
def serve() -> None:
    """Serve the API."""
    settings = _settings()
    with alone(settings):
        serve_api(settings, log_start)


@group.command()
def work() -> None:
    """Run the workers: a parent and NOTIFIER_WORKER__PROCESSES OS processes."""
    run_workers(_settings(), os.environ)


def _settings() -> Settings:
    settings = read_settings(os.environ)
    set_up_logging(settings)
    return settings
