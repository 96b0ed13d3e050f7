"""Rows of the directory, as what they stand for."""

import json
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Row

from notifier.audience.choices import Choices
from notifier.audience.person import Address, Person, Profile, in_order
from notifier.audience.quiet_hours import QuietHours
from notifier.notification.model import Channel, JsonValue
from notifier.store.kit.rows import RowJson, encode
from notifier.store.kit.sql import time_text
from notifier.store.notification.rows import as_written


def to_person(row: Row[Any]) -> Person:
    """Return a person; `row` has their `addresses` as one JSON text."""
    return Person(
        service=row.service,
        user_id=row.user_id,
        locale=row.locale,
        time_zone=row.time_zone,
        attributes=cast("dict[str, JsonValue]", row.attributes or {}),
        addresses=in_order([_to_address(each) for each in json.loads(row.addresses or "[]")]),
        choices=Choices.decode(row.choices),
        quiet_hours=QuietHours.decode(row.quiet_hours),
        etag=row.etag,
        created_at=row.created_at,
        updated_at=row.updated_at,
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
