"""By which names inboxes are known, and kept."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.store.kit.rows import encode, joined

Name: TypeAlias = tuple[str, str]
"""Service and recipient."""

Meant: TypeAlias = Callable[[AsyncConnection, Collection[Name]], Awaitable[Mapping[Name, Name]]]
"""Finds the name by which each of some inboxes is kept."""


def names_of(names: Collection[Name]) -> str:
    """Return these as the parameter of a statement."""
    return joined(
        encode({"service": service, "recipient": recipient}) for service, recipient in names
    )
