"""Where RabbitMQ's programs are: installed, or Debian's packages unpacked without root.

NOTIFIER_TEST_RABBITMQ names another installation, such as an unpacked rabbitmq-server-generic-unix
archive: the folder with `sbin` in it. Erlang is the one on PATH.
"""

import os
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.servers.debian import CHECKOUT, library_path, unpacked
from tests.servers.errors import ServiceUnavailableError, WayClosedError

GIVEN = "NOTIFIER_TEST_RABBITMQ"
_LAYOUTS = ("usr/lib/rabbitmq/bin", "opt/rabbitmq/sbin")


@dataclass(frozen=True, slots=True)
class Programs:
    """The folder of rabbitmq-server and rabbitmqctl, and what they need to find Erlang."""

    folder: Path
    epmd: Path
    path: str
    library_path: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which RabbitMQ's scripts find these programs and no others."""
        found = {"PATH": self.path, "LANG": "C.UTF-8"}
        if self.library_path:
            found["LD_LIBRARY_PATH"] = self.library_path
        return found


def installed_programs() -> Programs:
    """Return the RabbitMQ that is named, or the system's.

    Raises:
        ServiceUnavailableError: there is none where the name says, or no Erlang.
        WayClosedError: none is installed.
    """
    epmd = shutil.which("epmd")
    if GIVEN in os.environ:
        folder = _given_folder()
        if epmd is None:
            raise ServiceUnavailableError(f"The RabbitMQ of {GIVEN} needs Erlang: no epmd on PATH.")
        return _installed(folder, Path(epmd))
    found = _programs_folder(Path("/")) or _folder_on_path()
    if epmd is None or found is None:
        raise WayClosedError("no rabbitmq-server is installed")
    return _installed(found, Path(epmd))


def _installed(folder: Path, epmd: Path) -> Programs:
    system = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    return Programs(folder=folder, epmd=epmd, path=f"{epmd.parent}:{system}")


def _given_folder() -> Path:
    folder = Path(os.environ[GIVEN]).absolute() / "sbin"
    if not (folder / "rabbitmq-server").exists():
        raise ServiceUnavailableError(f"{GIVEN} names no RabbitMQ: no {folder}/rabbitmq-server.")
    return folder


def _programs_folder(root: Path) -> Path | None:
    # /usr/sbin/rabbitmq-server of the packages refuses ordinary users; what it calls does not.
    folders = (root / layout for layout in _LAYOUTS)
    return next((folder for folder in folders if (folder / "rabbitmq-server").exists()), None)


def _folder_on_path() -> Path | None:
    server = shutil.which("rabbitmq-server")
    return Path(server).resolve().parent if server else None


def unpacked_programs(root: Path = CHECKOUT / ".cache" / "rabbitmq") -> Programs:
    """Return RabbitMQ from Debian's packages, downloaded and unpacked into `root` if need be.

    Raises:
        WayClosedError: this is not a Debian system, or its packages cannot be downloaded.
    """
    return _programs_in(unpacked(root, "rabbitmq-server", prepare=partial(_relocate, root)))


def _relocate(root: Path, unpacked_in: Path) -> None:
    # Debian's start scripts, of which Erlang starts the second, name the folder they are built for.
    built_for = "ROOTDIR=/usr/lib/erlang"
    for erl in unpacked_in.glob("usr/lib/erlang/**/bin/erl"):
        erl.write_text(erl.read_text().replace(built_for, f'ROOTDIR="{root}/usr/lib/erlang"'))


def _programs_in(root: Path) -> Programs:
    folder = _programs_folder(root)
    epmd = next(root.glob("usr/lib/erlang/erts-*/bin/epmd"), None)
    if folder is None or epmd is None:
        raise WayClosedError(f"Debian's packages in {root} are incomplete: remove that folder")
    return Programs(
        folder=folder,
        epmd=epmd,
        path=f"{root}/usr/lib/erlang/bin:{root}/usr/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        library_path=library_path(root),
    )
