"""A real Dovecot that tells a mail server whether an access token is good, of Debian's packages.

Its settings are those of 2.3 (Debian 12).
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.servers.debian import library_path
from tests.servers.errors import ServiceUnavailableError
from tests.servers.mail_servers import folder_of, unpacked_server
from tests.servers.processes import LOOPBACK, accepts, free_port, wait_until
from tests.servers.reaper import Reaper, reaping
from tests.servers.ways import started

_START_S = 20
# Users that every Debian has; Dovecot wants them to differ.
_INTERNAL, _LOGIN = "www-data", "nobody"
_MAIN = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
instance_name = {folder}
libexec_dir = {root}/usr/lib/dovecot
import_environment = LD_LIBRARY_PATH
protocols =
ssl = no
default_internal_user = {internal}
default_internal_group = {internal}
default_login_user = {login}
auth_mechanisms = xoauth2 oauthbearer
auth_failure_delay = 0
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf
}}
userdb {{
  driver = static
  args = uid={internal} gid={internal} home={folder}
}}
service auth {{
  inet_listener {{
    address = {host}
    port = {port}
  }}
}}
"""
_OAUTH2 = """\
tokeninfo_url = {lookup_url}
introspection_mode = auth
username_attribute = email
active_attribute = active
active_value = true
"""


@contextmanager
def private_dovecot(lookup_url: str) -> Iterator[int]:
    """Yield the port at which a mail server asks it (`smtpd_sasl_path`), by Dovecot's protocol.

    It gets a token's owner, `email`, from `lookup_url` with the token behind it.

    Raises:
        ServiceUnavailableError: it cannot be had here.
    """
    if os.getuid():
        raise ServiceUnavailableError("Dovecot starts as root only: run these tests as root.")
    root = unpacked_server("dovecot-core")
    _check_version(root)
    with reaping() as reaper, started(partial(_dovecot, reaper, root, lookup_url)) as port:
        yield port


def _check_version(root: Path) -> None:
    done = subprocess.run(
        [root / "usr/sbin/dovecot", "--version"],
        check=False,
        capture_output=True,
        text=True,
        env={"LD_LIBRARY_PATH": library_path(root)},
    )
    version = done.stdout
    if not version.startswith("2.3."):
        raise ServiceUnavailableError(
            f"Dovecot 2.3 is needed, whose settings these are; Debian's here is {version[:20]!r}."
        )


@contextmanager
def _dovecot(reaper: Reaper, root: Path, lookup_url: str) -> Iterator[int]:
    folder, port = folder_of(reaper, "dovecot"), free_port()
    for name in ("run", "state"):
        (folder / name).mkdir()
    main = _MAIN.format(
        folder=folder, root=root, internal=_INTERNAL, login=_LOGIN, host=LOOPBACK, port=port
    )
    (folder / "oauth2.conf").write_text(_OAUTH2.format(lookup_url=lookup_url))
    # It would look for what reads its settings in /usr/bin; so that starts it, as it would itself.
    config = folder / "dovecot.conf"
    config.write_text(main)
    reader: list[str | Path] = [
        root / "usr/bin/doveconf",
        "-c",
        config,
        "-f",
        "service=master",
        "-m",
        "master",
    ]
    reaper.start(
        [*reader, "-e", root / "usr/sbin/dovecot", "-F", "-c", config],
        ending=("TERM", "KILL"),
        env={"PATH": os.defpath, "LD_LIBRARY_PATH": library_path(root)},
    )
    handshakes = partial(accepts, LOOPBACK, port, greeting=b"", answer=b"VERSION")
    wait_until(handshakes, timeout_s=_START_S, what=f"Dovecot on port {port}")
    yield port
