"""The endpoints that providers call: what became of a notification that they took.

They need no API key: a signature over the raw body says who calls. What can be no signature is
refused before the body is read, and what is none before anything of the body is looked at.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import parse_qs

import structlog
from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import Response

from notifier.api.config import ApiConfig, ApiServices, TwilioCallbacks
from notifier.api.kit.body import read_body
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import HeaderParameter, Operation, Reply
from notifier.api.kit.problems import (
    BAD_SIGNATURE,
    INVALID,
    MALFORMED_JSON,
    NOT_FOUND,
    UNAVAILABLE,
    ProblemError,
)
from notifier.api.signatures import Verify, is_ecdsa, is_mac, is_signed_by_twilio, sendgrid_verifier
from notifier.callbacks import sendgrid_receipts, twilio_opt_in, twilio_receipt
from notifier.notification.model import JsonValue
from notifier.providers.receipt import Receipt

log = structlog.get_logger(__name__)

TOLERANCE = timedelta(seconds=300)
"""How far SendGrid's timestamp may be from our time, either way."""

_TAG = "Callbacks"
_SIGNED_FORM = "A form, signed with the account's auth token over the public URL and every field."
_MAX_FORM_BYTES = 64 * 1024
_MAX_FORM_FIELDS = 200
_FIRST_WAIT_S = 0.1
_TAKEN: Mapping[int, Reply] = {204: Reply(description="Taken, or of no use")}


class ReceiptDesk:
    """Gives receipts to the store, and waits for attempts that are under way meanwhile."""

    def __init__(self, services: ApiServices, config: ApiConfig) -> None:
        self._receipts = services.receipts
        self._config = config
        self._waiting = 0

    async def apply(self, provider: str, receipts: Sequence[Receipt]) -> None:
        """Apply `receipts`.

        Raises:
            ProblemError: 503, some came during an attempt that goes on; the provider is to call
                again.
        """
        applied = await self._receipts.apply(receipts)
        early = applied.early
        log.info(
            "callback.taken",
            provider=provider,
            receipts=len(receipts),
            changed=applied.changed,
            early=len(early),
        )
        if early and not await self._wait(early):
            log.warning("callback.put_off", provider=provider, receipts=len(early))
            detail = "What it is about is being sent at this moment. Call again."
            raise ProblemError(UNAVAILABLE, detail, headers={"Retry-After": "60"})

    async def _wait(self, early: Sequence[Receipt]) -> bool:
        if self._waiting >= self._config.max_waiting_callbacks:
            return False
        self._waiting += 1
        try:
            return await self._apply_later(early)
        finally:
            self._waiting -= 1

    async def _apply_later(self, early: Sequence[Receipt]) -> bool:
        waited_s, wait_s = 0.0, _FIRST_WAIT_S
        while early and waited_s < self._config.callback_patience_s:
            await asyncio.sleep(wait_s)
            waited_s, wait_s = waited_s + wait_s, wait_s * 2
            early = (await self._receipts.apply(early)).early
        return not early


@dataclass(frozen=True, slots=True)
class TwilioEndpoint:
    """Takes Twilio's status callbacks and incoming messages."""

    callbacks: TwilioCallbacks
    desk: ReceiptDesk
    config: ApiConfig

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        status = Operation(
            id="twilioCallback",
            method="POST",
            path="/callbacks/twilio/{id:uuid}",
            summary="Twilio tells what became of an SMS",
            description=_SIGNED_FORM,
            tag=_TAG,
            serve=self.take,
            headers=(_required("X-Twilio-Signature", "HMAC-SHA1 in base64."),),
            replies=_TAKEN,
            problems=(BAD_SIGNATURE, NOT_FOUND),
        )
        message = replace(
            status,
            id="twilioMessage",
            path="/callbacks/twilio",
            summary="Twilio tells of a message that came in",
            description=f"{_SIGNED_FORM} START takes its sender off the suppression lists, where "
            "STOP had put it; other messages have no effect.",
            serve=self.take_message,
        )
        return (status, message)

    async def take(self, call: Call[None, None]) -> Response:
        """Apply one status callback."""
        id = call.named("id")
        form = await self._form(call.request, f"{self.callbacks.base_url}/{id}")
        return await self._apply(twilio_receipt(id, form))

    async def take_message(self, call: Call[None, None]) -> Response:
        """Apply one incoming message."""
        return await self._apply(
            twilio_opt_in(await self._form(call.request, self.callbacks.base_url))
        )

    async def _apply(self, receipt: Receipt | None) -> Response:
        await self.desk.apply("twilio", [receipt] if receipt else [])
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def _form(self, request: Request, url: str) -> Mapping[str, str]:
        """Return the fields, once it is sure that Twilio signed them for `url`."""
        signature = request.headers.get("x-twilio-signature", "")
        if not is_mac(signature):
            raise _refused("twilio")
        body = await read_body(
            request, max_bytes=_MAX_FORM_BYTES, timeout_s=self.config.callback_timeout_s
        )
        form = _form(body)
        if not is_signed_by_twilio(self.callbacks.auth_token.encode(), url, form, signature):
            raise _refused("twilio")
        return {name: values[0] for name, values in form.items()}


@dataclass(frozen=True, slots=True)
class SendGridEndpoint:
    """Takes the events of SendGrid's event webhook."""

    verify: Verify
    services: ApiServices
    config: ApiConfig
    desk: ReceiptDesk

    def operation(self) -> Operation:
        """Declare the endpoint."""
        return Operation(
            id="sendgridCallback",
            method="POST",
            path="/callbacks/sendgrid",
            summary="SendGrid tells what became of mails",
            description="An array of events, signed by ECDSA over timestamp and body.",
            tag=_TAG,
            serve=self.take,
            headers=(
                _required("X-Twilio-Email-Event-Webhook-Signature", "ECDSA in base64."),
                _required("X-Twilio-Email-Event-Webhook-Timestamp", "Unix time in seconds."),
            ),
            replies=_TAKEN,
            problems=(BAD_SIGNATURE, MALFORMED_JSON, INVALID),
        )

    async def take(self, call: Call[None, None]) -> Response:
        """Apply one array of events."""
        headers = call.request.headers
        timestamp = headers.get("x-twilio-email-event-webhook-timestamp", "")
        signature = headers.get("x-twilio-email-event-webhook-signature", "")
        if not self._is_fresh(timestamp) or not is_ecdsa(signature):
            raise _refused("sendgrid")
        body = await read_body(
            call.request,
            max_bytes=self.config.max_callback_bytes,
            timeout_s=self.config.callback_timeout_s,
        )
        if not self.verify(signature, timestamp.encode() + body):
            raise _refused("sendgrid")
        await self.desk.apply("sendgrid", list(sendgrid_receipts(_events(body))))
        return Response(status_code=HTTPStatus.NO_CONTENT)

    def _is_fresh(self, timestamp: str) -> bool:
        if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):  # noqa: PLR2004 - the year 33658
            return False
        age_s = self.services.clock.now().timestamp() - int(timestamp)
        return abs(age_s) <= TOLERANCE.total_seconds()


def callback_operations(services: ApiServices, config: ApiConfig) -> Sequence[Operation]:
    """Declare the endpoints of the providers whose secrets are configured.

    Raises:
        SettingsError: SendGrid's key is none.
    """
    desk = ReceiptDesk(services, config)
    found: list[Operation] = []
    if config.twilio_callbacks:
        twilio = TwilioEndpoint(config.twilio_callbacks, desk, config)
        found += twilio.operations()
    if config.sendgrid_public_key:
        verify = sendgrid_verifier(config.sendgrid_public_key)
        found.append(SendGridEndpoint(verify, services, config, desk).operation())
    return found


def _required(name: str, description: str) -> HeaderParameter:
    return HeaderParameter(name=name, description=description, schema={"type": "string"})


def _refused(provider: str) -> ProblemError:
    log.warning("callback.refused", provider=provider)
    return ProblemError(BAD_SIGNATURE, "It is not signed, or not for this URL and body.")


def _form(body: bytes) -> Mapping[str, Sequence[str]]:
    try:
        return parse_qs(
            body.decode(),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=_MAX_FORM_FIELDS,
        )
    except ValueError as error:
        raise _refused("twilio") from error


def _events(body: bytes) -> JsonValue:
    try:
        events: JsonValue = from_json(body, allow_inf_nan=False, cache_strings="none")
    except ValueError as error:
        raise ProblemError(MALFORMED_JSON, "It is not valid JSON.") from error
    return events
