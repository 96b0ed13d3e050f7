"""Whether everything that notifier needs is there, and what to do if not."""

import asyncio
import os

import typer

from notifier.commands.answering import answering
from notifier.commands.parts import parts_table
from notifier.commands.showing import Answer
from notifier.composition.doctor import examine

group = typer.Typer()


@group.command()
@answering
def doctor() -> Answer:
    """Look at everything that notifier needs, and say what to do; sends nothing.

    That is the configuration, the database, the broker, and every provider, at which it logs in
    as for a message. Exit code 1 if something is wrong.
    """
    return parts_table(asyncio.run(examine(os.environ)))
