"""Email through SendGrid's v3 API: its SDK builds the payload, a kept session carries it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import orjson

from notifier.channels._extras import extra
from notifier.channels._outcomes import Answer, UnsendableError, plain_id, redact, retry_after_s
from notifier.channels.email.headers import headers_of
from notifier.channels.email.mailbox import parse_sender, refuse_unsafe_headers, wire_address
from notifier.channels.email.mime import in_ascii
from notifier.channels.email.own_sender import judged_by_its_sender
from notifier.channels.email.sendgrid.refusals import Complaint, judge_answer
from notifier.channels.handshakes import http_trouble
from notifier.channels.refusals.blame import outcome_of
from notifier.channels.refusals.http import is_about_one
from notifier.channels.trials import Hints, answered_trial, bare, unanswered_trial
from notifier.clock import Clock
from notifier.mailbox import Mailbox
from notifier.notification.mail import Attached, MailDetails
from notifier.notification.model import JsonValue, Message
from notifier.notification.outcomes import Outcome, Permanent, Sent, Transient, Unknown
from notifier.providers.handshake import Trouble
from notifier.providers.trial import Trial

_ACCEPTED = 202
_NO_DETAILS = MailDetails()
_HINTS = Hints(
    door="NOTIFIER_SENDGRID__BASE_URL",
    login="NOTIFIER_SENDGRID__API_KEY",
    sender="NOTIFIER_EMAIL__SENDER",
)

Payload: TypeAlias = dict[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendGridConfig:
    """An API key and as whom to send; `sender` is `Name <name@domain>` or an address.

    One `send` takes at most `timeout_s`.
    """

    api_key: str = field(repr=False)
    sender: str
    base_url: str = "https://api.sendgrid.com"
    timeout_s: float = 20
    max_connections: int = 50


class SendGridAdapter:
    """Hands mails to SendGrid; needs no running loop until the first `send`.

    Raises:
        SettingsError: the sender cannot be used, or `notifier[sendgrid]` is not installed.
    """

    provider = "sendgrid"

    def __init__(self, config: SendGridConfig, clock: Clock) -> None:
        with extra("sendgrid"):
            from notifier.channels._http import HttpPoster  # noqa: PLC0415 - an extra

            self._build = _payload_builder(parse_sender(config.sender))
        self._config = config
        self._clock = clock
        self._http = HttpPoster(timeout_s=config.timeout_s, max_connections=config.max_connections)
        self._url = f"{config.base_url.rstrip('/')}/v3/mail/send"
        self._scopes_url = f"{config.base_url.rstrip('/')}/v3/scopes"
        self._headers = {
            "Authorization": f"Bearer {config.api_key}",
            "Content-Type": "application/json",
        }

    async def send(self, message: Message) -> Outcome:
        result = await self._post(message)
        return self._judge(result, message) if isinstance(result, Answer) else result

    async def try_out(self, message: Message) -> Trial:
        result = await self._post(message)
        is_tls = self._url.startswith("https:")
        if not isinstance(result, Answer):
            return unanswered_trial(result, _HINTS, is_tls=is_tls)
        complaints = _complaints(result.text)
        return answered_trial(
            self._judge(result, bare(message)),
            judge_answer(result.status, complaints).blame,
            result.status,
            _words(complaints),
            _HINTS,
            is_tls=is_tls,
        )

    async def _post(self, message: Message) -> Answer | Permanent | Transient | Unknown:
        try:
            refuse_unsafe_headers(message)
            body = orjson.dumps(self._build(message, wire_address(message.recipient)))
        except UnsendableError as error:
            return Permanent(error.code, str(error))
        # The SDK refuses in many ways.
        except Exception as error:  # noqa: BLE001
            return Permanent("bad_payload", f"no payload can be made: {type(error).__name__}")
        return await self._http.post(self._url, body, self._headers)

    async def handshake(self) -> Trouble | None:
        answer = await self._http.get(self._scopes_url, self._headers)
        trouble = http_trouble(answer, "NOTIFIER_SENDGRID__API_KEY", "NOTIFIER_SENDGRID__BASE_URL")
        if trouble is None and isinstance(answer, Answer) and not _may_send(answer.text):
            return Trouble(
                "the API key lacks the scope mail.send",
                "give it that scope, or set NOTIFIER_SENDGRID__API_KEY to one that has it",
            )
        return trouble

    async def close(self) -> None:
        await self._http.close()

    def _judge(self, answer: Answer, message: Message) -> Outcome:
        if answer.status == _ACCEPTED:
            return Sent(plain_id(answer.headers.get("x-message-id")))
        complaints = _complaints(answer.text)
        words = _words(complaints)
        ruling = judge_answer(answer.status, complaints)
        wait_s = retry_after_s(answer.headers, self._clock.now())
        outcome = outcome_of(
            ruling.blame,
            str(answer.status),
            redact(words, message, (self._config.api_key,)),
            wait_s or ruling.at_least_s,
            in_exchange_about_one=is_about_one(answer.status),
        )
        return judged_by_its_sender(outcome, message, words)


def _payload_builder(sender: Mailbox) -> Callable[[Message, str], Payload]:
    # An extra, slow to import, and without types.
    from sendgrid.helpers.mail import CustomArg, From, Mail  # type: ignore[import-untyped]  # noqa: PLC0415

    def build(message: Message, recipient: str) -> Payload:
        details = message.mail or _NO_DETAILS
        by = details.sender or sender
        mail = Mail(
            from_email=From(by.address, by.name or None),
            to_emails=recipient,
            subject=message.subject or "",
        )
        mail.add_custom_arg(CustomArg("notification_id", str(message.id), p=0))
        payload: Payload = mail.get()
        # The SDK's own class refuses what looks like one of SendGrid's keys, and for the sender of
        # a mail that is content like any other.
        parts = {"text/plain": message.text, "text/html": message.html}
        payload["content"] = [{"type": kind, "value": part} for kind, part in parts.items() if part]
        # So does its class of headers. They reach the mail as they are (RFC 2047).
        payload["headers"] = {
            name: in_ascii(name, value) for name, value in headers_of(message, by).items()
        }
        if details.reply_to:
            payload["reply_to"] = _contact(details.reply_to)

        if message.attached:
            payload["attachments"] = [_attachment(each) for each in message.attached]
        return payload

    return build


def _contact(mailbox: Mailbox) -> JsonValue:
    name: Payload = {"name": mailbox.name} if mailbox.name else {}
    return {"email": mailbox.address, **name}


def _attachment(file: Attached) -> JsonValue:
    described: dict[str, JsonValue] = {
        "content": file.lines.replace(b"\r\n", b"").decode(),
        "type": file.type,
        "filename": file.name,
        "disposition": "inline" if file.content_id else "attachment",
    }
    return {**described, "content_id": file.content_id} if file.content_id else described


def _may_send(text: str) -> bool:
    try:
        return "mail.send" in json.loads(text)["scopes"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _words(complaints: tuple[Complaint, ...]) -> str:
    return "; ".join(f"{each.field or '-'}: {each.message}" for each in complaints)


def _complaints(text: str) -> tuple[Complaint, ...]:
    """Read `{"errors": [{"message", "field", "help"}]}`; nothing where it is not that."""
    try:
        errors = json.loads(text)["errors"]
        return tuple(
            Complaint(field=str(error.get("field") or ""), message=str(error["message"]))
            for error in errors
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ()
