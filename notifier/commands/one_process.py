"""Running all of notifier in one process."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from notifier.commands.database import upgrade_schema
from notifier.commands.keys import working_key
from notifier.composition import development
from notifier.composition.api import serve_api
from notifier.composition.one_process import alone
from notifier.composition.resources import set_up_logging
from notifier.composition.settings import read_settings

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
