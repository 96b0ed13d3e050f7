"""Real mail servers: private Postfix and Exim on loopback, of Debian's packages.

They deliver every mail into a maildir. Their limits are what they have if nobody sets them.
"""

import email
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.servers.debian import CHECKOUT, library_path, unpacked
from tests.servers.errors import ServiceUnavailableError, WayClosedError
from tests.servers.processes import LOOPBACK, accepts, free_port, wait_until
from tests.servers.reaper import Reaper, reaping
from tests.servers.ways import started

DOMAIN = "recipient.example"
NOTHING: Mapping[str, str] = {}
_START_S = 20
_OURS = 65_533


@dataclass(frozen=True, slots=True)
class MailServer:
    """A running server: `maildir` gets what it delivered, `queues` hold what is on its way."""

    name: str
    port: int
    maildir: Path
    queues: tuple[Path, ...]

    def message_ids(self) -> list[str]:
        """The Message-ID of every mail that was delivered, in no order."""
        mails = (path.read_bytes() for path in self.maildir.glob("new/*"))
        return [str(email.message_from_bytes(mail)["Message-ID"]) for mail in mails]

    def delivered(self, timeout_s: float) -> list[str]:
        """Wait until the queues are empty; returns `message_ids`."""
        wait_until(self._is_settled, timeout_s=timeout_s, what=f"empty queues of {self.name}")
        return self.message_ids()

    def _is_settled(self) -> bool:
        return not any(path.is_file() for queue in self.queues for path in queue.rglob("*"))


# --- Postfix --------------------------------------------------------------------------------

# Users that every Debian has; Postfix wants them to differ.
_OWNER, _GROUP, _DELIVERER = "www-data", "games", "nobody"
_QUEUES = ("incoming", "active", "deferred", "maildrop", "hold", "corrupt")
_FOLDERS = (*_QUEUES, "bounce", "defer", "flush", "pid", "private", "public", "saved", "trace")
_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = {root}/usr/sbin
daemon_directory = {root}/usr/lib/postfix/sbin
import_environment = MAIL_CONFIG LANG=C LD_LIBRARY_PATH
mail_owner = {owner}
setgid_group = {group}
default_privs = {deliverer}
inet_interfaces = {host}
inet_protocols = ipv4
myhostname = postfix.example
mydestination =
alias_maps =
smtpd_client_event_limit_exceptions =
smtpd_client_connection_count_limit = {connections}
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{ours}
virtual_gid_maps = static:{ours}
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
"""
_MASTER = """\
{host}:{port} inet n - n - 200 smtpd
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
"""


@contextmanager
def private_postfix(
    *, connections_a_client: int = 50, settings: Mapping[str, str] = NOTHING
) -> Iterator[MailServer]:
    """Yield a Postfix; its own limit is 50 connections of one client at once.

    `settings` are lines of its main.cf, and win over those that it has for the tests.

    Raises:
        ServiceUnavailableError: it cannot be had here.
    """
    if os.getuid():
        raise ServiceUnavailableError("Postfix starts as root only: run these tests as root.")
    root = unpacked_server("postfix")
    with (
        reaping() as reaper,
        started(partial(_postfix, reaper, root, connections_a_client, settings)) as one,
    ):
        yield one


@contextmanager
def _postfix(
    reaper: Reaper, root: Path, connections: int, settings: Mapping[str, str]
) -> Iterator[MailServer]:
    folder, port = folder_of(reaper, "postfix"), free_port()
    for name in ("etc", "data", "mail", "queue", *(f"queue/{name}" for name in _FOLDERS)):
        (folder / name).mkdir()
    _own(_OWNER, folder / "data", *(folder / "queue").iterdir())
    _own("root", folder / "queue/pid")
    os.chown(folder / "mail", _OURS, _OURS)
    main = _MAIN.format(
        folder=folder,
        root=root,
        owner=_OWNER,
        group=_GROUP,
        deliverer=_DELIVERER,
        host=LOOPBACK,
        domain=DOMAIN,
        connections=connections,
        ours=_OURS,
    )
    more = "".join(f"{name} = {value}\n" for name, value in settings.items())
    (folder / "etc/main.cf").write_text(main + more)
    (folder / "etc/master.cf").write_text(_MASTER.format(host=LOOPBACK, port=port))
    reaper.start(
        [root / "usr/lib/postfix/sbin/master", "-c", folder / "etc", "-d"],
        ending=("TERM", "KILL"),
        env={
            "PATH": os.defpath,
            "MAIL_CONFIG": str(folder / "etc"),
            "LD_LIBRARY_PATH": library_path(root),
        },
    )
    _wait_for("Postfix", port)
    queues = tuple(folder / "queue" / name for name in _QUEUES)
    yield MailServer("Postfix", port, folder / "mail/all", queues)


def _own(user: str, *folders: Path) -> None:
    for folder in folders:
        folder.chmod(0o770)
        os.chown(folder, _uid(user), 0)


def _uid(user: str) -> int:
    users = (line.split(":") for line in Path("/etc/passwd").read_text().splitlines())
    return next(int(fields[2]) for fields in users if fields[0] == user)


# --- Exim -----------------------------------------------------------------------------------

_EXIM = """\
exim_path = {folder}/exim
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
pid_file_path = {folder}/exim.pid
primary_hostname = exim.example
local_interfaces = {host}
daemon_smtp_ports = {port}
acl_smtp_rcpt = rcpt
host_lookup =
tls_advertise_hosts =
keep_environment =
never_users =
deliver_drop_privilege = true
{limit}

begin acl
rcpt:
{rules}  accept

begin routers
all:
  driver = accept
  transport = keep

begin transports
keep:
  driver = appendfile
  maildir_format
  directory = {folder}/mail
"""
# Exim looks for its user by name, and runs itself again for every mail.
_RUN_EXIM = """\
#!/bin/sh
export LD_LIBRARY_PATH='{libraries}' LD_PRELOAD='{wrapper}'
export NSS_WRAPPER_PASSWD='{folder}/passwd' NSS_WRAPPER_GROUP='{folder}/group'
exec '{root}/usr/sbin/exim4' "$@"
"""


@contextmanager
def private_exim(*, at_once: int | None = None, rules: str = "") -> Iterator[MailServer]:
    """Yield an Exim; without `at_once` it takes its own number of connections at once, 20.

    `rules` are lines of its ACL for recipients, before all others are accepted.

    Raises:
        ServiceUnavailableError: it cannot be had here.
    """
    root = unpacked_server("exim4-daemon-light", "libnss-wrapper")
    with reaping() as reaper, started(partial(_exim, reaper, root, at_once, rules)) as one:
        yield one


@contextmanager
def _exim(reaper: Reaper, root: Path, at_once: int | None, rules: str) -> Iterator[MailServer]:
    folder, port = folder_of(reaper, "exim"), free_port()
    uid, gid = (os.getuid(), os.getgid()) if os.getuid() else (_OURS, _OURS)
    for name in ("spool", "mail"):
        (folder / name).mkdir()
        os.chown(folder / name, uid, gid)
    os.chown(folder, uid, gid)
    (folder / "passwd").write_text(
        f"root:x:0:0:root:/:/bin/sh\nDebian-exim:x:{uid}:{gid}::/:/bin/sh\n"
    )
    (folder / "group").write_text(f"root:x:0:\nDebian-exim:x:{gid}:\n")
    limit = "" if at_once is None else f"smtp_accept_max = {at_once}"
    config = folder / "exim.conf"
    config.write_text(
        _EXIM.format(folder=folder, host=LOOPBACK, port=port, limit=limit, rules=rules)
    )
    script = folder / "exim"
    wrapper = next(root.glob("usr/lib/*/libnss_wrapper.so"))
    script.write_text(
        _RUN_EXIM.format(libraries=library_path(root), wrapper=wrapper, folder=folder, root=root)
    )
    script.chmod(0o755)
    reaper.start([script, "-C", config, "-bdf", "-q2s"], ending=("TERM", "KILL"))
    _wait_for("Exim", port)
    yield MailServer("Exim", port, folder / "mail", (folder / "spool/input",))


def _without_privileges(root: Path) -> None:
    # A program that changes its user is started without LD_LIBRARY_PATH.
    for program in root.glob("usr/sbin/exim4"):
        program.chmod(0o755)


# --- both -----------------------------------------------------------------------------------


def unpacked_server(*packages: str) -> Path:
    root = CHECKOUT / ".cache" / packages[0].partition("-")[0]
    try:
        return unpacked(root, *packages, prepare=_without_privileges)
    except WayClosedError as error:
        raise ServiceUnavailableError(f"{packages[0]} cannot be had ({error}).") from error


def folder_of(reaper: Reaper, name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"notifier-{name}-"))
    folder.chmod(0o755)
    reaper.remove(folder)
    return folder


def _wait_for(name: str, port: int) -> None:
    greets = partial(accepts, LOOPBACK, port, greeting=b"QUIT\r\n", answer=b"220 ")
    wait_until(greets, timeout_s=_START_S, what=f"{name} on port {port}")
