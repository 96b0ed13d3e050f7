"""Serving the API."""

import os

import typer

from notifier.composition.api import log_start, serve_api
from notifier.composition.one_process import alone
from notifier.composition.resources import set_up_logging
from notifier.composition.settings import read_settings

group = typer.Typer()


@group.command()
def serve() -> None:
    """Serve the API."""
    settings = read_settings(os.environ)
    set_up_logging(settings)
    with alone(settings):
        serve_api(settings, log_start)
