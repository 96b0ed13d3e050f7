"""The database's schema."""

import asyncio
import os

import typer

from notifier.commands.answering import answering
from notifier.commands.showing import Answer, told
from notifier.settings.groups import DatabaseSettings
from notifier.store import upgrading

group = typer.Typer(help="The database's schema.", no_args_is_help=True)


@group.command()
@answering
def upgrade() -> Answer:
    """Bring the database's schema up to this version. Safe to run twice, and at once.

    A newer schema is left as it is: this version works with it.
    """
    settings = DatabaseSettings.from_env(os.environ)
    newer = asyncio.run(upgrade_schema(settings))
    if newer:
        words = f"The schema is newer than this version, at {newer}: nothing to do."
        return told(words, state="newer", revision=newer)
    return told("The schema is up to date.", state="up_to_date")


async def upgrade_schema(settings: DatabaseSettings) -> str | None:
    """Bring the schema up to date; returns the revision of one that is newer than this code.

    Raises StoreUnavailableError, and SchemaError where the tables are something else's.
    """
    return await upgrading.upgrade(settings.database_url.get_secret_value())
