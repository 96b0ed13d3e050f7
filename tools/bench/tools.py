"""The load generator and the SMTP sink, both in C: installed, or Debian's unpacked without root."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.debian import CHECKOUT, library_path, unpacked
from tests.servers.errors import ServiceUnavailableError, WayClosedError


@dataclass(frozen=True, slots=True)
class Tool:
    """A program, and the variables with which it finds its libraries."""

    path: Path
    environ: Mapping[str, str] = field(default_factory=dict)


def wrk() -> Tool:
    """The HTTP load generator."""
    return _tool("wrk", package="wrk")


def smtp_sink() -> Tool:
    """Postfix's server that takes mails and forgets them."""
    return _tool("smtp-sink", package="postfix")


def _tool(name: str, *, package: str) -> Tool:
    installed = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if installed:
        return Tool(Path(installed))
    try:
        root = unpacked(CHECKOUT / ".cache" / package, package)
    except WayClosedError as error:
        raise ServiceUnavailableError(
            f"No {name}: install it (Debian: apt install {package}) ({error})"
        ) from error
    path = next(root.glob(f"usr/*bin/{name}"))
    return Tool(path, {"LD_LIBRARY_PATH": library_path(root)})
