"""Rows of the directory, as what they stand for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import orjson

from notifier.audience.choices import Choices
from notifier.audience.person import Address, Person, Profile, in_order
from notifier.audience.quiet_hours import QuietHours
from notifier.notification.model import Channel, JsonValue
from notifier.store.kit.rows import RowJson, encode
from notifier.store.kit.sql import time_text
from notifier.store.notification.rows import as_written


def to_person(row: Sequence[Any]) -> Person:
    """Return a person; `row` begins with the columns of `recipients`, and their addresses."""
    # By position, since attributes of a row are slow and everybody who is sent to is read.
    (
        service, user_id, locale, time_zone, attributes, choices, quiet_hours, etag,
        created_at, updated_at, addresses,
    ) = row[:11]  # fmt: skip
    return Person(
        service=service,
        user_id=user_id,
        locale=locale,
        time_zone=time_zone,
        attributes=cast("dict[str, JsonValue]", attributes or {}),
        addresses=in_order([_to_address(each) for each in orjson.loads(addresses or "[]")]),
        choices=Choices.decode(choices),
        quiet_hours=QuietHours.decode(quiet_hours),
        etag=etag,
        created_at=created_at,
        updated_at=updated_at,
    )


def _to_address(told: dict[str, Any]) -> Address:
    verified_at = told["verified_at"]
    return Address(
        channel=Channel(told["channel"]),
        address=told["address_as_written"] or told["address"],
        is_primary=bool(told["is_primary"]),
        verified_at=datetime.fromisoformat(verified_at) if verified_at else None,
    )


def profile_row(profile: Profile) -> RowJson:
    """Encode a profile without its addresses."""
    return encode(
        {
            "user_id": profile.user_id,
            "locale": profile.locale,
            "time_zone": profile.time_zone,
            "attributes": profile.attributes or None,
            "etag": profile.etag,
        }
    )


def address_row(profile: Profile, address: Address) -> RowJson:
    """Encode one address of a profile."""
    return encode(
        {
            "user_id": profile.user_id,
            "channel": address.channel,
            "address": address.compared,
            "address_as_written": as_written(address.address, address.compared),
            "is_primary": address.is_primary,
            "verified_at": time_text(address.verified_at) if address.verified_at else None,
        }
    )
