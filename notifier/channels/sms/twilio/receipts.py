"""Twilio's status callbacks and incoming messages: who signed them, and what they mean."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias
from urllib.parse import SplitResult, parse_qs, urlsplit
from uuid import UUID

from notifier.channels.receipts import PROVIDER_ID, Meaning, decoded_bytes, fault_for, matching
from notifier.channels.refusals.blame import Blame
from notifier.channels.sms.twilio.refusals import REFUSALS
from notifier.errors import UnsignedError
from notifier.notification.outcomes import SuppressionReason
from notifier.notification.transitions import BOUNCE, DELIVER, SETTLE
from notifier.providers.receipt import Callback, CallbackRoute, Receipt

_SIGNED_FORM = "A form, signed with the account's auth token over the public URL and every field."
_SIGNED_BY = {"X-Twilio-Signature": "HMAC-SHA1 in base64."}
_MAX_FORM_BYTES = 64 * 1024
_MAX_FORM_FIELDS = 200
_CODE = re.compile(r"\d{1,6}", re.ASCII)
_NUMBER = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)


# https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
TWILIO_STATUSES: Mapping[str, Meaning] = {
    "accepted": Meaning(SETTLE),
    "scheduled": Meaning(SETTLE),
    "queued": Meaning(SETTLE),
    "sending": Meaning(SETTLE),
    "sent": Meaning(SETTLE),
    "delivered": Meaning(DELIVER),
    "read": Meaning(DELIVER),
    "undelivered": Meaning(BOUNCE, "the carrier did not deliver it"),
    "failed": Meaning(BOUNCE, "it could not be sent on"),
    "canceled": Meaning(BOUNCE, "it was taken back at the provider"),
}
# https://help.twilio.com/articles/223134027 (opt-out keywords).
_OPT_IN = frozenset({"START", "UNSTOP", "YES"})
_OPT_OUT = frozenset(
    {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE"}
)
_TWILIO_SUPPRESSIONS: Mapping[Blame, SuppressionReason] = {
    Blame.GONE: SuppressionReason.HARD_BOUNCE,
    Blame.OPTED_OUT: SuppressionReason.UNSUBSCRIBED,
}


def twilio_receipt(id: UUID, form: Mapping[str, str]) -> Receipt | None:
    """Read a status callback for the notification `id`; None if it says nothing of use."""
    status = form.get("MessageStatus", "").lower()
    meaning = TWILIO_STATUSES.get(status)
    sid = form.get("MessageSid", "")
    if meaning is None or not PROVIDER_ID.fullmatch(sid):
        return None
    code = matching(_CODE, form.get("ErrorCode")) or status
    return Receipt(
        provider="twilio",
        event_id=f"{sid}:{status}",
        id=id,
        transition=meaning.transition,
        provider_id=sid,
        fault=fault_for(meaning, code),
        suppress_as=_twilio_suppression(code) if meaning.words else None,
    )


def twilio_opting(form: Mapping[str, str]) -> Receipt | None:
    """Read an incoming message; None unless its sender wants no more messages, or wants them again.

    `OptOutType` says so where Advanced Opt-Out is on; else it is the keyword itself.
    """
    word = (form.get("OptOutType") or form.get("Body", "")).strip().upper()
    number, sid = form.get("From", ""), form.get("MessageSid", "")
    is_in = word in _OPT_IN
    if not (is_in or word in _OPT_OUT) or not PROVIDER_ID.fullmatch(sid):
        return None
    if not _NUMBER.fullmatch(number):
        return None
    return Receipt(
        provider="twilio",
        event_id=f"{sid}:opt-{'in' if is_in else 'out'}",
        id=None,
        transition=None,
        number=number,
        lift=SuppressionReason.UNSUBSCRIBED if is_in else None,
        suppress_as=None if is_in else SuppressionReason.UNSUBSCRIBED,
    )


def _twilio_suppression(code: str) -> SuppressionReason | None:
    ruling = REFUSALS.codes.get(code)
    return None if ruling is None else _TWILIO_SUPPRESSIONS.get(ruling.blame)


Form: TypeAlias = Mapping[str, Sequence[str]]

_MAC_BYTES = 20
_PORTS = {"http": 80, "https": 443}


def is_mac(signature: str) -> bool:
    """Whether `signature` can be one of Twilio's."""
    return decoded_bytes(signature) == _MAC_BYTES


def is_signed_by_twilio(auth_token: bytes, url: str, form: Form, signature: str) -> bool:
    """Whether `signature` is the account's own over `url`, as Twilio knows it, and all of `form`.

    A URL without a port is taken for one with its scheme's port and the other way round, because
    Twilio signs either.
    """
    told = "".join(f"{name}{value}" for name in sorted(form) for value in sorted(set(form[name])))
    given = signature.encode()
    return any(
        hmac.compare_digest(_mac(auth_token, spelling + told), given)
        for spelling in _spellings(url)
    )


def _spellings(url: str) -> Sequence[str]:
    parts = urlsplit(url)
    port = _PORTS.get(parts.scheme)
    if parts.port not in (None, port):
        return (url,)
    return (_with_port(parts, None), _with_port(parts, port))


def _with_port(parts: SplitResult, port: int | None) -> str:
    host = parts.netloc.rpartition("@")[2]
    bare = host if parts.port is None else host.rpartition(":")[0]
    return parts._replace(netloc=bare if port is None else f"{bare}:{port}").geturl()


def _mac(auth_token: bytes, told: str) -> bytes:
    mac = hmac.new(auth_token, told.encode("utf-8", "surrogatepass"), hashlib.sha1)
    return base64.b64encode(mac.digest())


def status_route(base_url: str, auth_token: bytes) -> CallbackRoute:
    """Return how Twilio reports a message's fate: to `base_url`, a slash and the notification's id.

    `base_url` is public, and what Twilio signs.
    """

    async def read(callback: Callback) -> Sequence[Receipt]:
        form = _signed_form(callback, f"{base_url}/{callback.id}", auth_token)
        receipt = twilio_receipt(callback.id, form) if callback.id else None
        return [receipt] if receipt else []

    return CallbackRoute(
        provider="twilio",
        name="twilioCallback",
        path="twilio/{id:uuid}",
        summary="Twilio tells what became of an SMS",
        description=_SIGNED_FORM,
        signed_by=_SIGNED_BY,
        max_body_bytes=_MAX_FORM_BYTES,
        check=_check,
        read=read,
    )


def message_route(base_url: str, auth_token: bytes) -> CallbackRoute:
    """Return how Twilio tells of incoming messages: with a call to just that."""

    async def read(callback: Callback) -> Sequence[Receipt]:
        receipt = twilio_opting(_signed_form(callback, base_url, auth_token))
        return [receipt] if receipt else []

    return CallbackRoute(
        provider="twilio",
        name="twilioMessage",
        path="twilio",
        summary="Twilio tells of a message that came in",
        description=f"{_SIGNED_FORM} STOP, and the words that mean the same, put its sender "
        "on the suppression lists of those who sent to it, START takes it off; other messages have "
        "no effect.",
        signed_by=_SIGNED_BY,
        max_body_bytes=_MAX_FORM_BYTES,
        check=_check,
        read=read,
    )


def _check(headers: Mapping[str, str]) -> None:
    if not is_mac(headers.get("x-twilio-signature", "")):
        raise UnsignedError("it has no signature of Twilio's")


def _signed_form(callback: Callback, url: str, auth_token: bytes) -> Mapping[str, str]:
    """Return the fields, once it is sure that Twilio signed them for `url`."""
    form = _form(callback.body)
    signature = callback.headers["x-twilio-signature"]
    if not is_signed_by_twilio(auth_token, url, form, signature):
        raise UnsignedError("the form is not signed for its URL and all of its fields")
    return {name: values[0] for name, values in form.items()}


def _form(body: bytes) -> Form:
    try:
        return parse_qs(
            body.decode(),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=_MAX_FORM_FIELDS,
        )
    except ValueError as error:
        raise UnsignedError("it is no form") from error
