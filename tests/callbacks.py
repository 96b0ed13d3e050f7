"""Providers that sign their callbacks, as tests of the API need them."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from notifier.channels.email.sendgrid.receipts import event_route
from notifier.channels.sms.twilio.receipts import message_route, status_route
from notifier.clock import Clock
from notifier.providers.receipt import CallbackRoute


def twilio_routes() -> Sequence[CallbackRoute]:
    """Return how an account with AUTH_TOKEN reports to BASE_URL."""
    token = AUTH_TOKEN.encode()
    return status_route(BASE_URL, token), message_route(BASE_URL, token)


BASE_URL = "https://notify.example.com/callbacks/twilio"
AUTH_TOKEN = "the token of an account that there is not"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def status_form(status: str, **more: str) -> dict[str, str]:
    """Return the fields of a status callback."""
    return {
        "MessageSid": "SM" + "0" * 32,
        "AccountSid": "AC" + "0" * 32,
        "MessageStatus": status,
        "To": "+491701234567",
        "EmptyOne": "",
        **more,
    }


def twilio_signature(url: str, form: Mapping[str, str]) -> str:
    """Sign as https://www.twilio.com/docs/usage/security#validating-requests says."""
    told = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    mac = hmac.new(AUTH_TOKEN.encode(), told.encode(), hashlib.sha1)
    return base64.b64encode(mac.digest()).decode()


def signed_form(id: UUID, form: Mapping[str, str]) -> dict[str, Any]:
    """Return what a client needs to post `form` as Twilio does."""
    return _signed(f"{BASE_URL}/{id}", form)


def signed_message(form: Mapping[str, str]) -> dict[str, Any]:
    """Return what a client needs to tell of an incoming message as Twilio does."""
    return _signed(BASE_URL, form)


def _signed(url: str, form: Mapping[str, str]) -> dict[str, Any]:
    headers = {**FORM, "X-Twilio-Signature": twilio_signature(url, form)}
    return {"content": urlencode(form), "headers": headers}


def message_form(body: str, **more: str) -> dict[str, str]:
    """Return the fields of an incoming message."""
    return {
        "MessageSid": "SM" + "1" * 32,
        "AccountSid": "AC" + "0" * 32,
        "From": "+491701234567",
        "To": "+15005550006",
        "Body": body,
        **more,
    }


@dataclass(frozen=True, slots=True)
class SendGridSigner:
    """An event webhook with a key pair of its own."""

    _key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def public_key(self) -> str:
        """The verification key, as SendGrid shows it."""
        der = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(der).decode()

    def routes(self, clock: Clock) -> Sequence[CallbackRoute]:
        """Return how its events come in."""
        return (event_route(self.public_key, clock),)

    def signed(self, events: object, timestamp: int) -> dict[str, Any]:
        """Return what a client needs to post `events` as SendGrid does."""
        return self.signed_bytes(json.dumps(events, indent=1).encode(), timestamp)

    def signed_bytes(self, body: bytes, timestamp: int) -> dict[str, Any]:
        """Return what a client needs to post `body` as SendGrid does."""
        signature = self._key.sign(str(timestamp).encode() + body, ec.ECDSA(hashes.SHA256()))
        headers = {
            "Content-Type": "application/json",
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": str(timestamp),
        }
        return {"content": body, "headers": headers}
