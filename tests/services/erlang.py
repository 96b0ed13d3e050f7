"""Where RabbitMQ's programs are: installed, or Debian's packages unpacked without root."""

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.services.debian import CHECKOUT, library_path, unpacked
from tests.services.errors import WayClosedError

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
    """Return the system's RabbitMQ.

    Raises:
        WayClosedError: none is installed.
    """
    epmd = shutil.which("epmd")
    folder = _programs_folder(Path("/")) or _folder_on_path()
    if epmd is None or folder is None:
        raise WayClosedError("no rabbitmq-server is installed")
    system = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    return Programs(folder=folder, epmd=Path(epmd), path=f"{Path(epmd).parent}:{system}")


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
    # Debian's start script names the folder it was built for.
    erl = unpacked_in / "usr/lib/erlang/bin/erl"
    built_for = "ROOTDIR=/usr/lib/erlang"
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
