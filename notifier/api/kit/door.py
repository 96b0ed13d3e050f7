"""Who may hold a connection: so many in all, so many an address, and room for probes beyond.

At a limit the connection that has waited longest without a request gives its place to the new
one, so that whoever connects and says nothing keeps nobody out.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Protocol

from starlette.types import Scope

_LOOKS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorLimits:
    """What one API process takes from whoever reaches its port."""

    max_connections: int = 2_000
    max_per_address: int = 500
    """Of one address, or one /64 of IPv6; trusted proxies, which carry many clients, have none."""
    trusted_proxies: Sequence[str] = ("127.0.0.1", "::1")
    """Addresses and networks whose X-Forwarded-For is believed."""
    spare_connections: int = 100
    """Beyond the limits, for probes; whatever else comes there is answered 503."""
    head_s: float = 10
    """For a whole head, from the connection or from the first byte of the next request."""
    spare_head_s: float = 2
    idle_s: float = 30
    """Between two requests of a connection."""
    stall_s: float = 20
    """For a client to read something of an answer that does not fit into the buffers."""
    linger_s: float = 5
    """For the rest of a body that nobody wants, so that its sender gets to reading the answer."""
    max_linger_bytes: int = 64 * 1024 * 1024
    max_head_bytes: int = 32 * 1024
    max_headers: int = 100
    max_url_bytes: int = 8 * 1024
    max_pipelined: int = 16


class Visitor(Protocol):
    """A connection, as the door sees it."""

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""

    def shed(self) -> None:
        """End at once."""


class Place(Enum):
    """What a connection was given."""

    WELCOME = auto()
    SPARE = auto()
    """Read for a probe only."""
    NONE = auto()


class _Crowd:
    """The connections that share one limit, the longest here first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._silent: OrderedDict[Visitor, None] = OrderedDict()
        self._known: OrderedDict[Visitor, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._silent) + len(self._known)

    @property
    def is_full(self) -> bool:
        return len(self) >= self._limit

    def add(self, visitor: Visitor) -> None:
        self._silent[visitor] = None

    def remove(self, visitor: Visitor) -> None:
        self._silent.pop(visitor, None)
        self._known.pop(visitor, None)

    def get_to_know(self, visitor: Visitor) -> None:
        """Keep it longer than those that never asked for anything."""
        if visitor in self._silent:
            del self._silent[visitor]
            self._known[visitor] = None

    def longest_idle(self) -> Visitor | None:
        """Return the one to give up; None if those that were looked at are all at work."""
        for group in (self._silent, self._known):
            for _ in range(min(len(group), _LOOKS)):
                visitor = next(iter(group))
                if visitor.is_idle:
                    return visitor
                group.move_to_end(visitor)
        return None


class Door:
    """Counts connections and gives out places."""

    def __init__(self, limits: DoorLimits) -> None:
        self.limits = limits
        self._trusted = [ip_network(each) for each in limits.trusted_proxies]
        self._all = _Crowd(limits.max_connections)
        self._spare = _Crowd(limits.spare_connections)
        self._by_network: dict[str, _Crowd] = {}

    def network_of(self, address: str) -> str | None:
        """Return what the connections of `address` are counted under; None for a trusted proxy."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return address
        is_trusted = any(parsed in each for each in self._trusted)
        return None if is_trusted else client_network(address)

    def enter(self, visitor: Visitor, network: str | None) -> Place:
        """Give a new connection a place, if need be that of another."""
        crowd = self._crowd_of(network)
        if (crowd is not None and not self._has_room(crowd)) or not self._has_room(self._all):
            self._forget(network)
            return self._enter_spare(visitor)
        for each in (crowd, self._all):
            if each is not None:
                each.add(visitor)
        return Place.WELCOME

    def leave(self, visitor: Visitor, network: str | None) -> None:
        """Take back the place of a connection that ended."""
        for each in (self._all, self._spare, self._by_network.get(network or "")):
            if each is not None:
                each.remove(visitor)
        self._forget(network)

    def get_to_know(self, visitor: Visitor, network: str | None) -> None:
        """Note that it sent a whole head."""
        for each in (self._all, self._by_network.get(network or "")):
            if each is not None:
                each.get_to_know(visitor)

    def _crowd_of(self, network: str | None) -> _Crowd | None:
        if network is None:
            return None
        return self._by_network.setdefault(network, _Crowd(self.limits.max_per_address))

    def _forget(self, network: str | None) -> None:
        crowd = self._by_network.get(network or "")
        if crowd is not None and not len(crowd):
            del self._by_network[network or ""]

    def _has_room(self, crowd: _Crowd) -> bool:
        if not crowd.is_full:
            return True
        if (idle := crowd.longest_idle()) is None:
            return False
        idle.shed()
        return not crowd.is_full

    def _enter_spare(self, visitor: Visitor) -> Place:
        if not self._has_room(self._spare):
            return Place.NONE
        self._spare.add(visitor)
        return Place.SPARE


def network_of(scope: Scope) -> str:
    """Return what stands for the client of a request."""
    return client_network(scope["client"][0] if scope.get("client") else "unknown")


def client_network(host: str) -> str:
    """Return what stands for one client: its address, or its /64 where that is IPv6."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ip_network((address, 64), strict=False))
    return host
