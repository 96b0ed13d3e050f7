"""Programs of Debian's packages, downloaded and unpacked without root, beside their libraries."""

import fcntl
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.servers.errors import ServiceUnavailableError, WayClosedError

CHECKOUT = Path(__file__).resolve().parents[2]
_LIBRARIES = (
    "usr/lib/*-linux-gnu*",
    "lib/*-linux-gnu*",
    "usr/lib/postfix",
    "usr/lib/dovecot",
    "usr/lib/dovecot/modules/old-stats",
)


def unpacked(root: Path, *packages: str, prepare: Callable[[Path], None] | None = None) -> Path:
    """Return `root` with the packages, and what they need that is not installed, in it.

    Args:
        root: where it is unpacked the first time.
        packages: by their names.
        prepare: gets the folder that is about to become `root`.

    Raises:
        WayClosedError: this is not a Debian system, or its packages cannot be downloaded.
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    with root.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two sessions must not unpack into one another
        if not root.exists():
            partial = root.with_suffix(".partial")
            _unpack(partial, packages)
            if prepare is not None:
                prepare(partial)
            partial.rename(root)
    return root


def server_program(name: str, *, called: str) -> tuple[Path, str]:
    """Return an installed server, or that of Debian's package, and the LD_LIBRARY_PATH it needs.

    Args:
        name: of the program and of its package.
        called: how people call it.

    Raises:
        ServiceUnavailableError: none is installed, and Debian's cannot be downloaded.
    """
    installed = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if installed:
        return Path(installed), ""
    try:
        root = unpacked(CHECKOUT / ".cache" / name, name)
    except WayClosedError as error:
        raise ServiceUnavailableError(
            f"No {called} for the tests: install it (Debian: apt install {name}) ({error})"
        ) from error
    return root / "usr/sbin" / name, library_path(root)


def _unpack(partial: Path, packages: tuple[str, ...]) -> None:
    shutil.rmtree(partial, ignore_errors=True)
    command = [str(CHECKOUT / "scripts" / "debian-packages"), str(partial), *packages]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["scripts/debian-packages failed"])[-1]
        raise WayClosedError(f"Debian's packages: {reason}")


def library_path(root: Path) -> str:
    """LD_LIBRARY_PATH with which programs unpacked into `root` find their libraries."""
    return ":".join(str(folder) for pattern in _LIBRARIES for folder in root.glob(pattern))
