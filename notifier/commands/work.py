"""Running the workers."""

import os

import typer

from notifier.composition.resources import set_up_logging
from notifier.composition.settings import read_settings
from notifier.composition.workers import run_workers

group = typer.Typer()


@group.command()
def work() -> None:
    """Run the workers: a parent and NOTIFIER_WORKER__PROCESSES OS processes."""
    settings = read_settings(os.environ)
    set_up_logging(settings)
    run_workers(settings, os.environ)
