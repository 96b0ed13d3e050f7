"""The content of sensitive notifications, sealed between the core's values and rows."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import orjson

from notifier.store.kit.rows import encode
from notifier.store.kit.seals import Seals

CONTENT = ("subject", "content", "html", "variables", "mail", "action_url")
"""The columns that a sealed one has in `sealed`, and NULL in their own."""
NOTHING = (None,) * len(CONTENT)

_PLACE = b"notifications.sealed:"


def seal(id: UUID, columns: Mapping[str, object], seals: Seals) -> Mapping[str, object]:
    """Return the columns of a row with its content sealed.

    Raises:
        StoreRefusedError: a text holds what cannot be stored unsealed either.
    """
    content = {name: columns[name] for name in CONTENT if columns.get(name) is not None}
    rest = {name: value for name, value in columns.items() if name not in CONTENT}
    return {**rest, "sealed": seals.sealed(_place(id), encode(content))}


def opened(id: UUID, sealed: str, seals: Seals | None) -> Sequence[str | None] | None:
    """Return what was sealed, in the order of `CONTENT`; None if that cannot be opened here."""
    text = seals.opened(_place(id), sealed) if seals else None
    return None if text is None else [*map(orjson.loads(text).get, CONTENT)]


def _place(id: UUID) -> bytes:
    return _PLACE + id.bytes
