"""curl for the commands that users are told to paste: installed, or Debian's without root."""

import shutil
from functools import partial
from pathlib import Path

from tests.servers.debian import CHECKOUT, library_path, unpacked
from tests.servers.errors import ServiceUnavailableError, WayClosedError


def curl_folder(root: Path = CHECKOUT / ".cache" / "curl") -> Path:
    """Return a folder with a curl that runs.

    Raises:
        ServiceUnavailableError: none is installed, and Debian's cannot be downloaded.
    """
    installed = shutil.which("curl")
    if installed:
        return Path(installed).parent
    try:
        return unpacked(root, "curl", prepare=partial(_wrap, root))
    except WayClosedError as error:
        raise ServiceUnavailableError(
            f"No curl for the tests: install it (Debian: apt install curl) ({error})"
        ) from error


def _wrap(root: Path, unpacked_in: Path) -> None:
    """Write a curl that finds the libraries unpacked beside it."""
    libraries = library_path(unpacked_in).replace(str(unpacked_in), str(root))
    curl = unpacked_in / "curl"
    curl.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH="{libraries}" exec "{root}/usr/bin/curl" "$@"\n')
    curl.chmod(0o755)
