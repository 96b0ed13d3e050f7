"""The database's schema."""

import asyncio
import os

import typer

from notifier.commands.showing import say
from notifier.settings.groups import DatabaseSettings
from notifier.store import upgrading

group = typer.Typer(help="The database's schema.", no_args_is_help=True)


@group.command()
def upgrade() -> None:
    """Bring the database's schema up to this version. Safe to run twice, and at once.

    A newer schema is left as it is: this version works with it.
    """
    settings = DatabaseSettings.from_env(os.environ)
    newer = asyncio.run(upgrade_schema(settings))
    if newer:
        say(f"The schema is newer than this version, at {newer}: nothing to do.")
    else:
        say("The schema is up to date.")


async def upgrade_schema(settings: DatabaseSettings) -> str | None:
    """Bring the schema up to date; returns the revision of one that is newer than this code.

    Raises StoreUnavailableError, and SchemaError where the tables are something else's.
    """
    return await upgrading.upgrade(settings.database_url.get_secret_value())
