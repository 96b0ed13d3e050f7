"""A real PgBouncer in front of a PostgreSQL, in transaction mode, as hosts hand it out."""

import os
import shutil
import subprocess
import tempfile
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.servers.certificates import Certificates
from tests.servers.debian import server_program
from tests.servers.postgres_process import Account
from tests.servers.processes import LOOPBACK, free_port, listens, wait_until
from tests.servers.reaper import reaping
from tests.servers.ways import started

_START_TIMEOUT_S = 30.0

# Few of the server's sessions for many connections: no two transactions get the same by chance.
_CONFIGURATION = """\
[databases]
* = host={host} port={port} user={user} password={password}
[pgbouncer]
listen_addr = {loopback}
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 500
default_pool_size = 4
server_round_robin = 1
{more}
"""


@dataclass(frozen=True, slots=True)
class PgBouncer:
    """A running pooler."""

    port: int

    def url(self, database_url: str) -> str:
        """The URL of this database through the pooler."""
        name = urllib.parse.urlsplit(database_url).path
        return f"postgresql://anyone@{LOOPBACK}:{self.port}{name}"


@contextmanager
def private_pgbouncer(
    admin_url: str, *, more: str = "", certificates: Certificates | None = None
) -> Iterator[PgBouncer]:
    """Yield a pooler for all databases of a server; `more` are lines of its configuration.

    With `certificates` it takes connections over TLS only.

    Raises:
        ServiceUnavailableError: none is installed, and Debian's cannot be downloaded.
    """
    program, libraries = server_program("pgbouncer", called="PgBouncer")
    with started(partial(_started, program, libraries, admin_url, more, certificates)) as pooler:
        yield pooler


@contextmanager
def _started(
    program: Path, libraries: str, admin_url: str, more: str, certificates: Certificates | None
) -> Iterator[PgBouncer]:
    server = urllib.parse.urlsplit(admin_url)
    with reaping() as reaper:
        folder = Path(tempfile.mkdtemp(prefix="notifier-pgbouncer-"))
        reaper.remove(folder)
        port = free_port()
        account = Account.unprivileged()
        if certificates:
            more += _tls(certificates, folder, account)
        configuration = folder / "pgbouncer.ini"
        configuration.write_text(
            _CONFIGURATION.format(
                host=server.hostname,
                port=server.port or 5432,
                user=urllib.parse.unquote(server.username or ""),
                password=urllib.parse.unquote(server.password or ""),
                loopback=LOOPBACK,
                listen_port=port,
                more=more,
            )
        )
        account.give(folder)
        account.give(configuration)
        # Programs in a closed home can be run by its owner alone.
        copied = Path(shutil.copy2(program, folder / "pgbouncer"))
        libraries = _copied(libraries, folder / "libraries")
        with (folder / "pgbouncer.out").open("wb") as output:
            reaper.start(
                [copied, configuration],
                ending=("INT", "KILL"),
                env={**os.environ, "LD_LIBRARY_PATH": libraries},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **account.options,
            )
        wait_until(
            lambda: listens(LOOPBACK, port), timeout_s=_START_TIMEOUT_S, what="PgBouncer ready"
        )
        yield PgBouncer(port)


def _tls(certificates: Certificates, folder: Path, account: Account) -> str:
    for path in (certificates.certificate, certificates.key):
        account.give(Path(shutil.copy(path, folder / path.name)))
    return (
        f"client_tls_sslmode = require\n"
        f"client_tls_cert_file = {folder / certificates.certificate.name}\n"
        f"client_tls_key_file = {folder / certificates.key.name}\n"
    )


def _copied(libraries: str, folder: Path) -> str:
    folder.mkdir()
    for source in filter(None, libraries.split(":")):
        for library in Path(source).glob("*.so*"):
            shutil.copy(library, folder / library.name)
    return str(folder)
