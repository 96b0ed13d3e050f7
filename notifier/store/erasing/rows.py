"""Between erasures and their rows."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from notifier.audience.erasure import Erasure, Subject
from notifier.notification.model import Channel


def to_erasure(row: Row[Any]) -> Erasure:
    """Read how far an erasure is."""
    return Erasure(
        id=row.id,
        service=row.service,
        reason=row.reason,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        forget_suppression=row.forget_suppression,
        counts=json.loads(row.counts),
        finished_at=row.finished_at,
        receipt=json.loads(row.receipt) if row.receipt else None,
    )


def subject_text(subject: Subject) -> str:
    """Write whom, as it is kept."""
    value: Mapping[str, Sequence[object]] = {
        "user_ids": sorted(subject.user_ids),
        "addresses": [[str(channel), address] for channel, address in sorted(subject.addresses)],
    }
    return json.dumps(value)


def to_subject(text: str) -> Subject:
    """Read whom."""
    read = json.loads(text)
    addresses = frozenset((Channel(channel), address) for channel, address in read["addresses"])
    return Subject(frozenset(read["user_ids"]), addresses)
