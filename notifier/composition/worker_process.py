"""An OS process of a worker, before it has imported what workers are made of."""

from collections.abc import Mapping
from multiprocessing.connection import Connection

from notifier.importing import imported


def run(environ: Mapping[str, str], name: str, link: Connection) -> None:
    """Be the worker of this name until SIGTERM, with the settings in `environ`."""
    imported("notifier.composition.workers").work(environ, name, link)
