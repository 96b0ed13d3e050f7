"""Which names a page without a key is served under.

A page of somebody else's can let a name of his point to this machine, and read through its
visitor's browser what is served there without a key. It cannot choose the Host header: that is
the name.
"""

from collections.abc import Collection
from ipaddress import ip_address

from starlette.requests import Request

from notifier.api.kit.headers import header
from notifier.api.kit.problems import UNKNOWN_HOST, ProblemError


def require_known_host(request: Request, allowed: Collection[str]) -> None:
    """Refuse a request under a name that may be anybody's.

    Addresses, names of this machine (`localhost`) and of its own network (without a dot) are
    nobody else's; others are those that are `allowed`.

    Raises:
        ProblemError: 421.
    """
    if not is_known_host(header(request.scope, b"host"), allowed):
        raise ProblemError(
            UNKNOWN_HOST,
            "This is served under addresses, localhost and the names in "
            "NOTIFIER_API__ALLOWED_HOSTS.",
        )


def is_known_host(host: str, allowed: Collection[str]) -> bool:
    """Whether the Host header names an address, this machine, or what is `allowed`."""
    name = _without_port(host).lower().removesuffix(".")
    if name in {each.lower() for each in allowed}:
        return True
    try:
        ip_address(name)
    except ValueError:
        return bool(name) and ("." not in name or name.endswith(".localhost"))
    return True


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
