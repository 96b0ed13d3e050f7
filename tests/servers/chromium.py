"""A real Chromium without a window: the one that is installed, or Debian's package."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.servers.errors import ServiceUnavailableError

_PACKAGE = "chromium"
_INSTALL_S = 300
_START_MS = 60_000


@contextmanager
def private_chromium() -> Iterator[Browser]:
    """Yield a browser whose pages may be tested; it ends with the block.

    Raises:
        ServiceUnavailableError: it cannot be had here.
    """
    program = chromium_program()
    # Its own sandbox needs a user that is not root.
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=program, chromium_sandbox=os.getuid() != 0, timeout=_START_MS
        ) as browser,
    ):
        yield browser


def chromium_program() -> Path:
    """Return what CHROMIUM names, or the installed one; root installs Debian's if there is none.

    Raises:
        ServiceUnavailableError: there is none, and it cannot be installed.
    """
    named = os.environ.get("CHROMIUM", _PACKAGE)
    if shutil.which(named) is None and named == _PACKAGE:
        _install()
    found = shutil.which(named)
    if found is None:
        raise ServiceUnavailableError(_told(f"{named} is no program"))
    return Path(found)


def _install() -> None:
    """Install the package: unpacked alone it lacks the fonts and what is set up for them."""
    if os.getuid():
        raise ServiceUnavailableError(_told("only root can"))
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", _PACKAGE]):
        try:
            subprocess.run(
                ["apt-get", "-qq", *arguments],
                check=True,
                capture_output=True,
                text=True,
                env=environ,
                timeout=_INSTALL_S,
            )
        except subprocess.CalledProcessError as error:
            reason = (error.stderr.strip().splitlines() or [f"apt-get {arguments[0]} failed"])[-1]
            raise ServiceUnavailableError(_told(reason)) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ServiceUnavailableError(_told(str(error))) from error


def _told(reason: str) -> str:
    return (
        f"No Chromium for the tests: install it (Debian: apt install {_PACKAGE}), or name it in "
        f"CHROMIUM ({reason})"
    )
