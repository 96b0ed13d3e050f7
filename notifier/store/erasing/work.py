"""An erasure under way, for those who hold something of somebody."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import ColumnElement, and_, or_, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.erasure import Subject
from notifier.audience.pseudonym import Pseudonyms
from notifier.notification.model import Channel
from notifier.store.notification.tables import notifications as n


@dataclass(frozen=True, slots=True)
class Work:
    """An erasure under way: whom, of which service, and how much at once."""

    service: str
    subject: Subject
    pseudonyms: Pseudonyms
    at_once: int
    forget_suppression: bool

    def pseudonym(self, channel: Channel, recipient: str) -> str:
        """Return what stands for them at this address."""
        return self.pseudonyms.of(self.service, channel, recipient)


@dataclass(frozen=True, slots=True)
class Found:
    """What a holder had of somebody, and where else to look for them."""

    counts: Mapping[str, int]
    addresses: frozenset[tuple[Channel, str]] = frozenset()
    user_ids: frozenset[str] = frozenset()


Holder: TypeAlias = Callable[[AsyncConnection, Work], Awaitable[Found]]
"""Lets go some of what it has of somebody; nothing is found where there is no more."""


def theirs(work: Work) -> Sequence[Collection[ColumnElement[bool]]]:
    """Return conditions, each with an index, that together hold for all of their notifications.

    What names another person is that person's, even at the same address.
    """
    user_ids = sorted(work.subject.user_ids)
    of_service = n.c.service == work.service
    written = sorted(work.subject.addresses)
    at_address = and_(
        n.c.recipient.in_([address for _, address in written]),
        tuple_(n.c.channel, n.c.recipient).in_([(str(each), address) for each, address in written]),
        or_(n.c.user_id.is_(None), n.c.user_id.in_(user_ids)),
    )
    return ((of_service, n.c.user_id.in_(user_ids)), (of_service, at_address))


def counted(name: str, count: int) -> Found:
    """Return that so many of these were found."""
    return Found({name: count} if count else {})
