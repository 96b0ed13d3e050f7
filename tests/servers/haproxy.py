"""A real HAProxy: the installed one, or Debian's package unpacked without root."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.debian import server_program
from tests.servers.processes import LOOPBACK, free_port, listens, wait_until
from tests.servers.reaper import reaping

_START_TIMEOUT_S = 30.0
_FRONTEND = """\
frontend tested
    mode tcp
    bind {loopback}:{port}
    timeout client 60s
    default_backend {backend}
"""


@contextmanager
def private_haproxy(configuration: str, *, backend: str) -> Iterator[int]:
    """Yield the port at which one leads to `backend`, which `configuration` describes.

    Raises:
        ServiceUnavailableError: none is installed, and Debian's cannot be downloaded.
    """
    program, libraries = server_program("haproxy", called="HAProxy")
    with reaping() as reaper:
        folder = Path(tempfile.mkdtemp(prefix="notifier-haproxy-"))
        reaper.remove(folder)
        port = free_port()
        frontend = _FRONTEND.format(loopback=LOOPBACK, port=port, backend=backend)
        (folder / "haproxy.cfg").write_text(f"{frontend}\n{configuration}\n")
        with (folder / "haproxy.out").open("wb") as output:
            reaper.start(
                [program, "-db", "-f", folder / "haproxy.cfg"],
                env={**os.environ, "LD_LIBRARY_PATH": libraries},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_until(
            lambda: listens(LOOPBACK, port), timeout_s=_START_TIMEOUT_S, what="HAProxy ready"
        )
        yield port
