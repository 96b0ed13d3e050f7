"""curl for the commands that users are told to paste: installed, or Debian's without root."""

import fcntl
import shutil
import subprocess
from pathlib import Path

from tests.services.erlang import CHECKOUT
from tests.services.errors import ServiceUnavailableError


def curl_folder(root: Path = CHECKOUT / ".cache" / "curl") -> Path:
    """Return a folder with a curl that runs.

    Raises:
        ServiceUnavailableError: none is installed, and Debian's cannot be downloaded.
    """
    installed = shutil.which("curl")
    if installed:
        return Path(installed).parent
    root.parent.mkdir(parents=True, exist_ok=True)
    with root.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two sessions must not unpack into one another
        if not (root / "curl").exists():
            _unpack(root)
    return root


def _unpack(root: Path) -> None:
    partial = root.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = [str(CHECKOUT / "scripts" / "debian-packages"), str(partial), "curl"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ServiceUnavailableError(
            "No curl for the tests: install it (Debian: apt install curl)"
        )
    _wrap(partial, root)
    partial.rename(root)


def _wrap(partial: Path, root: Path) -> None:
    """Write a curl that finds the libraries unpacked beside it."""
    found = [*partial.glob("usr/lib/*-linux-gnu*"), *partial.glob("lib/*-linux-gnu*")]
    libraries = ":".join(str(root / each.relative_to(partial)) for each in found)
    curl = partial / "curl"
    curl.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH="{libraries}" exec "{root}/usr/bin/curl" "$@"\n')
    curl.chmod(0o755)
