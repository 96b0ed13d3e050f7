"""An OS process of a worker, before it has imported what workers are made of."""

from collections.abc import Mapping
from multiprocessing.connection import Connection

from notifier.importing import imported
from notifier.worker.supervisor import Life


def run(environ: Mapping[str, str], runner: str, life: Life, link: Connection) -> None:
    """Be this worker of a runner until SIGTERM, with the settings in `environ`."""
    imported("notifier.composition.workers").work(environ, runner, life, link)
