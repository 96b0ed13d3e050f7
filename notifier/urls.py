"""URLs with a user and a password in them, as people paste them."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from difflib import get_close_matches
from urllib.parse import unquote

THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
"""Hosts of URLs that nobody else can listen in on."""

_BETWEEN_URLS = re.compile(r",\s*(?=[a-z]+://)", re.IGNORECASE)
_BEGIN = "its parameters begin with ?, and & is only between them; in a name write %26 for &"
_ESCAPE = "write %40 for @, %2F for /, %3F for ? and %23 for # in user and password"


@dataclass(frozen=True, slots=True)
class Place:
    """The parts of a URL; those that may hold anything are decoded, hosts and path are not."""

    user: str | None
    password: str | None = field(repr=False)
    hosts: str
    path: str
    parameters: dict[str, str] = field(repr=False)


def split_place(text: str, known: Collection[str], otherwise: str) -> Place:
    """Split what follows the scheme of a URL; an empty parameter counts as one that is not set.

    Args:
        text: `user:password@hosts/path?name=value`, each part but the hosts optional.
        known: the parameters that there are.
        otherwise: what to say of one that is not among them, and like none of them.

    Raises:
        ValueError: says what is wrong, and repeats nothing that may be a secret.
    """
    place, _, query = text.partition("?")
    authority, _, path = place.partition("/")
    # An address that is whole holds none of them further on.
    if "@" in path or "#" in place or ("@" in query and "@" not in authority):
        raise ValueError(_ESCAPE)
    if " " in place or not text.isprintable():
        raise ValueError("it holds a space, or a character that nobody can see")
    login, _, hosts = authority.rpartition("@")
    if re.search("&.*=", f"{hosts}/{path}"):
        raise ValueError(_BEGIN)
    user, colon, password = login.partition(":")
    return Place(
        user=unquote(user) or None,
        password=unquote(password) if colon else None,
        hosts=hosts,
        path=path,
        parameters=_parameters(query, known, otherwise),
    )


def _parameters(query: str, known: Collection[str], otherwise: str) -> dict[str, str]:
    parameters = {}
    for part in filter(None, query.split("&")):
        name, equals, value = part.partition("=")
        name = unquote(name)
        if not re.fullmatch(r"[\w.]{1,40}", name):
            raise ValueError(_ESCAPE)
        if not equals:
            raise ValueError(f"the parameter {name!r} has no value")
        if name not in known:
            similar = get_close_matches(name.lower(), known, n=1, cutoff=0.7)
            meant = f"is {similar[0]} meant?" if similar else otherwise
            raise ValueError(f"there is no parameter {name!r}; {meant}")
        if value:
            parameters[name] = unquote(value)
    return parameters


def each_url(text: str) -> list[str]:
    """The URLs in `text`, which has commas between whole ones, or between the hosts of one."""
    return [url for part in _BETWEEN_URLS.split(text.rstrip(", ")) for url in _of_each_host(part)]


def _of_each_host(url: str) -> list[str]:
    scheme, mark, place = url.partition("://")
    authority, slash, path = place.partition("/")
    login, at, hosts = authority.rpartition("@")
    return [f"{scheme}{mark}{login}{at}{host}{slash}{path}" for host in hosts.split(",")]


def port_number(text: str) -> int:
    """The number of a TCP port.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch("[0-9]{1,5}", text) or not 0 < int(text) < 65_536:  # noqa: PLR2004
        raise ValueError("its port is no number from 1 to 65535")
    return int(text)
