"""Between the core's values and rows: JSON texts on the way in, result rows on the way out."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from notifier.audience.pseudonym import Pseudonyms
from notifier.audience.recipient import compared
from notifier.delivery.ports import Claimed, Finish
from notifier.intake.ports import Submission
from notifier.notification.envelope import Envelope
from notifier.notification.model import (
    Addressee,
    Channel,
    JsonValue,
    Lane,
    Message,
    Notification,
    OnUnknown,
    Pin,
    Status,
    TimelineEntry,
)
from notifier.notification.origin import Condition, Origin, Unless
from notifier.notification.outcomes import Fault
from notifier.notification.sms import SmsEncoding, SmsSize
from notifier.providers.receipt import Receipt
from notifier.store.kit.rows import RowJson, encode
from notifier.store.kit.seals import Seals
from notifier.store.kit.sql import time_text
from notifier.store.notification.mail import mail_text, to_mail
from notifier.store.notification.sealing import NOTHING, opened, seal


def submission_row(
    submission: Submission,
    request: UUID | None = None,
    pseudonyms: Pseudonyms | None = None,
    seals: Seals | None = None,
) -> RowJson:
    """Encode a notification to be inserted, with the request that it is a part of.

    With `seals`, what a sensitive one says is sealed.
    """
    columns = _submission_columns(submission, request, pseudonyms)
    if seals and submission.sensitive:
        return encode(seal(submission.id, columns, seals))
    return encode(columns)


def _submission_columns(
    submission: Submission, request: UUID | None, pseudonyms: Pseudonyms | None
) -> Mapping[str, object]:
    recipient = compared(submission.channel, submission.recipient)
    return {
        "id": submission.id.hex,
        "service": submission.service,
        "channel": submission.channel,
        "lane": submission.lane,
        "recipient": recipient,
        "recipient_as_written": as_written(submission.recipient, recipient),
        **_pseudonym_column(submission, pseudonyms),
        "subject": submission.subject,
        "content": submission.content,
        "html": submission.html,
        "variables": _json_text(submission.variables),
        "metadata": dict(submission.metadata) if submission.metadata else None,
        "sensitive": submission.sensitive,
        "on_unknown": submission.on_unknown,
        "traceparent": submission.traceparent,
        **_pin_columns(submission.template),
        **_size_columns(submission.size),
        **({"is_finished": True} if submission.is_finished else {}),
        **({"mail": mail_text(submission.mail)} if submission.mail else {}),
        **({"action_url": submission.action_url} if submission.action_url else {}),
        **_addressee_columns(submission.addressee),
        **(fault_columns(submission.withheld) if submission.withheld else {}),
        **_forwarded_column(submission.forwarded_from),
        "send_at": time_text(submission.send_at) if submission.send_at else None,
        "expires_at": time_text(submission.expires_at) if submission.expires_at else None,
        **_part_of(request, submission.broadcast_id, submission.origin),
    }


def _pseudonym_column(submission: Submission, pseudonyms: Pseudonyms | None) -> Mapping[str, str]:
    if pseudonyms is None:
        return {}
    of = pseudonyms.of(submission.service, submission.channel, submission.recipient)
    return {"pseudonym": of}


def _forwarded_column(id: UUID | None) -> Mapping[str, str]:
    return {"forwarded_from": id.hex} if id else {}


def _part_of(
    request: UUID | None, broadcast_id: UUID | None, origin: Origin | None
) -> Mapping[str, str | None]:
    wholes = {"request": request, "broadcast_id": broadcast_id}
    ids = {name: id.hex for name, id in wholes.items() if id}
    return {**ids, **_origin_columns(origin)} if origin else ids


def _origin_columns(origin: Origin) -> Mapping[str, str | None]:
    unless = origin.unless
    return {
        "rule": origin.rule,
        "key": origin.key,
        "depends_on": unless.id.hex if unless else None,
        "skip_if": unless.condition if unless else None,
        "skip_on": origin.unless_event,
    }


def _pin_columns(pin: Pin | None) -> Mapping[str, str]:
    return {"template_version_id": pin.version_id.hex, "locale": pin.locale} if pin else {}


def _size_columns(size: SmsSize | None) -> Mapping[str, str | int]:
    return {"segments": size.segments, "encoding": size.encoding.value} if size else {}


def _addressee_columns(to: Addressee | None) -> Mapping[str, str | bool]:
    if to is None:
        return {}
    columns = {
        "user_id": to.user_id,
        "category": to.category,
        "is_required": to.is_required,
        "is_address_given": to.is_address_given,
    }
    return {name: value for name, value in columns.items() if value}


def to_addressee(
    user_id: str | None,
    category: str | None,
    is_required: bool | None,  # noqa: FBT001 - a column, among others in their order
    is_address_given: bool | None,  # noqa: FBT001 - the same
) -> Addressee | None:
    """Read whom a notification is for."""
    if user_id is None and category is None:
        return None
    return Addressee(
        user_id=user_id,
        category=category,
        is_required=bool(is_required),
        is_address_given=bool(is_address_given),
    )


def as_written(recipient: str, compared: str) -> str | None:
    """Return what to keep of a recipient besides its compared form."""
    return None if recipient == compared else recipient


def _json_text(variables: Mapping[str, JsonValue] | None) -> str | None:
    return None if variables is None else json.dumps(variables, separators=(",", ":"))


def envelope_row(envelope: Envelope) -> RowJson:
    """Encode what names a notification and its attempt."""
    return encode({"id": envelope.id.hex, "attempt": envelope.attempt})


def event_row(
    id: UUID,
    event: str,
    attempt: int,
    *,
    source: Finish | Receipt | None = None,
    fault: Fault | None = None,
    nth: int = 0,
    note: str | None = None,
) -> RowJson:
    """Encode a row of the timeline; `nth` orders what is appended together."""
    return encode(
        {
            "nth": nth,
            "id": id.hex,
            "event": event,
            "attempt": attempt,
            "provider": source.provider if source else None,
            "provider_id": source.provider_id if source else None,
            "delay_s": source.delay_s if isinstance(source, Finish) else None,
            **fault_columns(source.fault if source else fault),
            **({"note": note} if note else {}),
        }
    )


def finish_row(finish: Finish) -> RowJson:
    """Encode the end of an attempt."""
    return encode(
        {
            "id": finish.id.hex,
            "lease_token": finish.lease_token.hex,
            "event": finish.transition.name,
            "target": finish.transition.target,
            "counts_attempt": finish.transition.counts_attempt,
            "provider": finish.provider,
            "provider_id": finish.provider_id,
            "delay_s": finish.delay_s,
            "outcome_unknown": finish.outcome_unknown,
            **fault_columns(finish.fault),
        }
    )


def miss_rows(finish: Finish) -> list[RowJson]:
    """Encode the providers that were passed over in an attempt."""
    return [
        encode(
            {
                "id": finish.id.hex,
                "nth": nth,
                "provider": miss.provider,
                **fault_columns(miss.fault),
            }
        )
        for nth, miss in enumerate(finish.misses)
    ]


def fault_columns(fault: Fault | None) -> dict[str, str | None]:
    """Return the columns that hold a fault."""
    return {
        "fault_kind": fault.kind if fault else None,
        "fault_code": fault.code if fault else None,
        "fault_message": fault.message if fault else None,
    }


def message_row(message: Message, *, with_content: bool = True) -> RowJson:
    """Encode a rendered notification."""
    return encode(message_values(message, with_content=with_content))


def message_values(message: Message, *, with_content: bool) -> Mapping[str, Any]:
    """Return the values of a rendered notification, to be encoded."""
    return {
        "id": message.id.hex,
        "service": message.service,
        "channel": message.channel,
        "recipient": message.recipient,
        "subject": message.subject if with_content else None,
        "text": message.text if with_content else None,
        "html": message.html if with_content else None,
        "action_url": message.action_url if with_content else None,
        "metadata": dict(message.metadata) if message.metadata and with_content else None,
        "sensitive": message.sensitive,
        "attempt": message.attempt,
    }


def to_envelope(row: Row[Any]) -> Envelope:
    """Read an envelope with the record's current attempt number."""
    return Envelope(
        id=row.id,
        channel=Channel(row.channel),
        lane=Lane(row.lane),
        attempt=row.attempt,
        traceparent=row.traceparent,
    )


def to_claimed(row: Sequence[Any], seals: Seals | None = None) -> Claimed:
    """Read a notification that was just claimed, its columns in the order of the claim's."""
    # By position, since attributes of a row are slow and there are many of both.
    (
        id, service, _status, attempt, channel, lane, recipient, subject, content, html, variables,
        metadata, sensitive, attempts_spent, lease_token, on_unknown, traceparent, version_id,
        locale, mail, action_url, is_finished, user_id, category, is_required, is_address_given,
        depends_on, skip_if, sealed, expires_in_s,
    ) = row  # fmt: skip
    own = (subject, content, html, variables, mail, action_url)
    said = opened(id, sealed, seals) if sealed else own
    subject, content, html, variables, mail, action_url = said or NOTHING
    return Claimed(
        id=id, service=service,
        channel=Channel(channel), lane=Lane(lane),
        recipient=recipient,
        content=content, subject=subject, html=html,
        variables=_read(variables),
        metadata=metadata,
        sensitive=sensitive,
        attempt=attempt, attempts_spent=attempts_spent,
        lease_token=lease_token, expires_in_s=expires_in_s,
        on_unknown=OnUnknown(on_unknown) if on_unknown else None,
        traceparent=traceparent,
        template=Pin(version_id, locale) if version_id else None,
        mail=to_mail(mail) if mail else None,
        action_url=action_url,
        is_finished=bool(is_finished),
        addressee=to_addressee(user_id, category, is_required, is_address_given),
        unless=Unless(depends_on, Condition(skip_if)) if depends_on else None,
        is_sealed=said is None,
    )  # fmt: skip


def to_notification(row: Row[Any]) -> Notification:
    """Read a notification as operators see it."""
    return Notification(
        id=row.id, service=row.service,
        channel=Channel(row.channel), lane=Lane(row.lane),
        recipient=row.recipient_as_written or row.recipient,
        subject=row.subject,
        content=row.content,
        html=row.html,
        variables=_read(row.variables),
        metadata=row.metadata or {},
        sensitive=row.sensitive,
        status=Status(row.status),
        attempts=row.attempts_spent,
        created_at=row.created_at,
        updated_at=row.updated_at,
        due_at=row.due_at,
        expires_at=row.expires_at,
        sent_at=row.sent_at, finished_at=row.finished_at,
        provider=row.provider, provider_id=row.provider_id,
        fault=to_fault(row), outcome_unknown=row.outcome_unknown,
        on_unknown=OnUnknown(row.on_unknown) if row.on_unknown else None,
        template=Pin(row.template_version_id, row.locale) if row.template_version_id else None,
        is_finished=bool(row.is_finished),
        size=SmsSize(SmsEncoding(row.encoding), row.segments) if row.segments else None,
        mail=to_mail(row.mail) if row.mail else None,
        action_url=row.action_url,
        addressee=to_addressee(row.user_id, row.category, row.is_required, row.is_address_given),
        origin=_to_origin(row),
        broadcast_id=row.broadcast_id,
        forwarded_from=row.forwarded_from,
    )  # fmt: skip


def _to_origin(row: Row[Any]) -> Origin | None:
    if row.rule is None:
        return None
    unless = Unless(row.depends_on, Condition(row.skip_if)) if row.depends_on else None
    return Origin(rule=row.rule, key=row.key, unless=unless, unless_event=row.skip_on)


def _read(variables: str | None) -> Mapping[str, JsonValue] | None:
    # Not orjson, which makes floats of large integers.
    read: Mapping[str, JsonValue] | None = json.loads(variables) if variables else None
    return read


def to_fault(row: Row[Any]) -> Fault | None:
    """Read the fault of a notification or of a row of its timeline."""
    if row.fault_kind is None:
        return None
    return Fault(kind=row.fault_kind, code=row.fault_code, message=row.fault_message)


def to_timeline_entry(row: Row[Any]) -> TimelineEntry:
    """Read a row of a timeline."""
    return TimelineEntry(
        at=row.at,
        event=row.event,
        attempt=row.attempt,
        provider=row.provider,
        provider_id=row.provider_id,
        fault=to_fault(row),
        delay_s=row.delay_s,
        note=row.note,
    )
