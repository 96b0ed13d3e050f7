"""Notifications as they usually come, decoded and checked in one go: see `kit.decoding`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, Required, TypeAlias, TypedDict
from uuid import UUID

from msgspec import Meta

from notifier.api.kit.body import is_plainly_storable, unstorable
from notifier.api.kit.decoding import Decoder, Members
from notifier.api.kit.fields import (
    LOCALE,
    MAX_METADATA_CHARS,
    METADATA_NAME,
    TYPES,
    bounded,
    parse_template,
    parse_time,
    user_id,
)
from notifier.api.notifications.requests import (
    MAX_BATCH,
    MAX_BATCH_VALUES,
    MAX_METADATA,
    MAX_SEND_VALUES,
    Reading,
)
from notifier.content.links import MAX_ACTION_URL_CHARS
from notifier.intake.attaching import MAX_ATTACHMENTS
from notifier.intake.draft import AttachmentWish, Draft
from notifier.intake.headers import MAX_HEADERS, MAX_NAME_CHARS, MAX_VALUE_CHARS
from notifier.intake.inline import MAX_CONTENT_CHARS, MAX_HTML_CHARS, MAX_SUBJECT_CHARS
from notifier.notification.model import Lane, OnUnknown


class _Attachment(TypedDict, total=False):
    id: Required[str]
    inline: bool


_HeaderName = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARS)]
_HeaderValue = Annotated[str, Meta(min_length=1, max_length=MAX_VALUE_CHARS)]
_Notification = TypedDict(
    "_Notification",
    {
        "type": Required[str],
        "sensitive": bool,
        "recipient": Annotated[str, Meta(min_length=1, max_length=320)] | None,
        "user_id": str | None,
        "category": Annotated[str, Meta(min_length=1, max_length=64)] | None,
        "variables": dict[str, Any] | None,
        "template": Any,
        "locale": str | None,
        "content": Annotated[str, Meta(min_length=1, max_length=MAX_CONTENT_CHARS)] | None,
        "subject": Annotated[str, Meta(min_length=1, max_length=MAX_SUBJECT_CHARS)] | None,
        "html": Annotated[str, Meta(min_length=1, max_length=MAX_HTML_CHARS)] | None,
        "action_url": Annotated[str, Meta(min_length=1, max_length=MAX_ACTION_URL_CHARS)] | None,
        "from": Annotated[str, Meta(min_length=1, max_length=64)] | None,
        "reply_to": Annotated[str, Meta(min_length=3, max_length=500)] | None,
        "headers": Annotated[dict[_HeaderName, _HeaderValue], Meta(max_length=MAX_HEADERS)] | None,
        "literal": bool,
        "sanitise": bool,
        "attachments": Annotated[list[_Attachment], Meta(max_length=MAX_ATTACHMENTS)],
        "priority": Lane,
        "send_at": str | None,
        "expires_at": str | None,
        "on_unknown": OnUnknown | None,
        "metadata": Annotated[
            dict[str, Annotated[str, Meta(max_length=MAX_METADATA_CHARS)]],
            Meta(max_length=MAX_METADATA),
        ],
    },
    total=False,
)


class _Batch(TypedDict):
    notifications: Annotated[list[_Notification], Meta(min_length=1, max_length=MAX_BATCH)]


_SEND: Final = Decoder(_Notification, max_values=MAX_SEND_VALUES)
_BATCH: Final = Decoder(_Batch, max_values=MAX_BATCH_VALUES)


def decode_notification(body: bytes) -> Reading | None:
    """Return the notification in `body`; None where it takes the long way to tell."""
    members = _SEND.decode(body)
    if members is None:
        return None
    try:
        return Reading(path=(), draft=_draft(members))
    except (KeyError, ValueError):
        return None


def decode_batch(body: bytes) -> Sequence[Reading] | None:
    """Return the notifications in `body`; None where it takes the long way to tell."""
    members = _BATCH.decode(body)
    if members is None:
        return None
    try:
        return tuple(
            Reading(path=("notifications", index), draft=_draft(each))
            for index, each in enumerate(members["notifications"])
        )
    except (KeyError, ValueError):
        return None


def _draft(members: Members) -> Draft:
    """Make a draft; a `KeyError` or `ValueError` if something is wrong, or may be."""
    fields: dict[str, Any] = {"metadata": {}}
    for name, value in members.items():
        read = _READ.get(name)
        fields[_NAMES.get(name, name)] = value if read is None or value is None else read(value)
    return Draft(**fields)


def _storable(value: Any) -> Any:
    if not is_plainly_storable(value) and any(unstorable(value)):
        raise ValueError
    return value


def _wishes(shapes: Sequence[_Attachment]) -> Sequence[AttachmentWish]:
    return tuple(AttachmentWish(UUID(each["id"]), each.get("inline", False)) for each in shapes)


def _metadata(members: Mapping[str, str]) -> Mapping[str, str]:
    for name in members:
        METADATA_NAME.checked(name)
    return members


_Read: TypeAlias = Callable[[Any], object]
_NAMES: Final[Mapping[str, str]] = {"type": "channel", "priority": "lane", "from": "sender"}
_READ: Final[Mapping[str, _Read]] = {
    "type": TYPES.__getitem__,
    "user_id": user_id,
    "variables": lambda value: bounded(_storable(value)),
    "template": lambda value: parse_template(_storable(value)),
    "locale": LOCALE.checked,
    "send_at": parse_time,
    "expires_at": parse_time,
    "attachments": _wishes,
    "metadata": _metadata,
}
