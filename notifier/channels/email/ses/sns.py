"""Amazon SNS's messages to an HTTPS endpoint: what they hold, and who signed it.

https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html,
https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic_core import from_json

from notifier.channels.email.ses.certificates import SNS_HOST, Certificates
from notifier.clock import Clock
from notifier.errors import UnsignedError
from notifier.notification.model import JsonValue

# SNS repeats a call within an hour, with its first time:
# https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
OLDEST = timedelta(hours=2)
EARLIEST = timedelta(minutes=5)
"""How far the time of a message may be ahead of ours."""

_MESSAGE_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_SUBSCRIBE_URL = re.compile(SNS_HOST + r"/\?Action=ConfirmSubscription&[!-~]{1,2000}", re.ASCII)


class Kind(StrEnum):
    """What a message is about."""

    NOTIFICATION = "Notification"
    SUBSCRIPTION = "SubscriptionConfirmation"
    UNSUBSCRIPTION = "UnsubscribeConfirmation"


_ABOUT_SUBSCRIBING = (
    "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
)  # fmt: skip
_SIGNED: Mapping[Kind, Sequence[str]] = {
    Kind.NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    Kind.SUBSCRIPTION: _ABOUT_SUBSCRIBING,
    Kind.UNSUBSCRIPTION: _ABOUT_SUBSCRIBING,
}
"""What is signed, in its order."""
_OPTIONAL = "Subject"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnsMessage:
    """A message that SNS signed for one of our topics; `confirm_at` is where to confirm it."""

    kind: Kind
    id: str
    topic: str
    text: str
    confirm_at: str | None


class Mailroom:
    """Opens messages of these topics alone."""

    def __init__(self, topics: Collection[str], certificates: Certificates, clock: Clock) -> None:
        self._topics = frozenset(topics)
        self._certificates = certificates
        self._clock = clock

    def knows(self, topic: str) -> bool:
        """Whether it is one of these topics."""
        return topic in self._topics

    async def open(self, body: bytes) -> SnsMessage:
        """Return what a call holds, once it is sure that SNS signed it of late for a topic of ours.

        What costs nothing is looked at first: only who knows a topic can have a certificate
        fetched.

        Raises:
            UnsignedError: nobody signed it so.
            UncheckedError: its certificate cannot be had for now.
        """
        fields = _texts(body)
        kind = next((kind for kind in Kind if kind == fields.get("Type")), None)
        if kind is None:
            raise UnsignedError("it is no message of SNS")
        signed = string_to_sign(fields, kind)
        if not self.knows(fields["TopicArn"]):
            raise UnsignedError("its topic is not among NOTIFIER_SES__TOPIC_ARNS")
        if not _MESSAGE_ID.fullmatch(fields["MessageId"]):
            raise UnsignedError("it has no id of SNS's")
        self._check_time(fields["Timestamp"])
        await self._certificates.verify(
            fields.get("SigningCertURL", ""),
            fields.get("SignatureVersion", ""),
            fields.get("Signature", ""),
            signed,
        )
        return SnsMessage(
            kind=kind,
            id=fields["MessageId"],
            topic=fields["TopicArn"],
            text=fields["Message"],
            confirm_at=_confirm_at(fields, kind),
        )

    def _check_time(self, timestamp: str) -> None:
        try:
            age = self._clock.now() - datetime.fromisoformat(timestamp)
        except (ValueError, TypeError):
            raise UnsignedError("it has no time") from None
        if not -EARLIEST <= age <= OLDEST:
            raise UnsignedError("it is too old, or the time here is wrong")


def string_to_sign(fields: Mapping[str, str], kind: Kind) -> bytes:
    """Return what SNS signs of a message of this kind.

    Raises:
        UnsignedError: a field is missing.
    """
    names = [name for name in _SIGNED[kind] if name in fields or name != _OPTIONAL]
    if missing := [name for name in names if name not in fields]:
        raise UnsignedError(f"it has no {missing[0]}, as every message of SNS has")
    return "".join(f"{name}\n{fields[name]}\n" for name in names).encode("utf-8", "surrogatepass")


def _texts(body: bytes) -> Mapping[str, str]:
    try:
        found: JsonValue = from_json(body, allow_inf_nan=False, cache_strings="none")
    except ValueError as error:
        raise UnsignedError("it is no message of SNS") from error
    if not isinstance(found, dict):
        raise UnsignedError("it is no message of SNS")
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _confirm_at(fields: Mapping[str, str], kind: Kind) -> str | None:
    if kind is Kind.NOTIFICATION:
        return None
    url = fields["SubscribeURL"]
    if not _SUBSCRIBE_URL.fullmatch(url):
        raise UnsignedError("it is to be confirmed elsewhere than at SNS")
    return url
