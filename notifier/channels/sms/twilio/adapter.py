"""SMS through Twilio's Messages resource: its SDK makes the request, a kept session carries it.

The SDK's own transport logs requests, ignores its time-out and loses a refusal's headers.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, cast
from urllib.parse import urlencode

from notifier.channels._extras import extra
from notifier.channels._outcomes import Answer, plain_id, redact, retry_after_s
from notifier.channels.handshakes import http_trouble
from notifier.channels.refusals.blame import Blame, Ruling, outcome_of
from notifier.channels.refusals.http import is_about_one
from notifier.channels.sms.twilio.refusals import REFUSALS
from notifier.channels.sms.twilio.sender import is_messaging_service, parse_sms_sender
from notifier.channels.trials import Hints, answered_trial, bare, unanswered_trial
from notifier.clock import Clock
from notifier.errors import SettingsError
from notifier.notification.model import JsonValue, Message
from notifier.notification.outcomes import Outcome, Sent, Transient, Unknown
from notifier.providers.handshake import Trouble
from notifier.providers.trial import Trial

_CREATED = 201
_HINTS = Hints(
    door="NOTIFIER_TWILIO__BASE_URL",
    login="NOTIFIER_TWILIO__ACCOUNT_SID and NOTIFIER_TWILIO__AUTH_TOKEN",
    sender="NOTIFIER_TWILIO__SENDER",
)

Payload: TypeAlias = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioConfig:
    """An account and as whom to send.

    `sender` is a telephone number in E.164, a short code, an alphanumeric sender, or a messaging
    service's sid (`MG...`). With `status_callback_base_url`, Twilio reports to that URL, a slash
    and the notification's id. One `send` takes at most `timeout_s`.
    """

    account_sid: str
    auth_token: str = field(repr=False)
    sender: str
    status_callback_base_url: str | None = None
    base_url: str = "https://api.twilio.com"
    timeout_s: float = 20
    max_connections: int = 50


class TwilioAdapter:
    """Hands SMS to Twilio; needs no running loop until the first `send`.

    Raises:
        SettingsError: there is no account or sender, Twilio takes no such sender, or
            `notifier[twilio]` is not installed.
    """

    provider = "twilio"

    def __init__(self, config: TwilioConfig, clock: Clock) -> None:
        if not (config.account_sid and config.auth_token and config.sender):
            raise SettingsError("twilio: account_sid, auth_token and sender are required")
        try:
            sender = parse_sms_sender(config.sender)
        except ValueError as error:
            raise SettingsError(f"twilio sender: {error}") from error
        with extra("twilio"):
            from notifier.channels._http import HttpPoster  # noqa: PLC0415 - an extra

            self._http: _Poster = HttpPoster(
                timeout_s=config.timeout_s, max_connections=config.max_connections
            )
            self._messages = _messages(config, _Transport(self._http))
        self._config = config
        self._clock = clock
        name = "messaging_service_sid" if is_messaging_service(sender) else "from_"
        self._from = {name: sender}

    async def send(self, message: Message) -> Outcome:
        result = await self._create(message)
        return self._judge(result, message) if isinstance(result, Answer) else result

    async def try_out(self, message: Message) -> Trial:
        result = await self._create(message)
        is_tls = self._config.base_url.startswith("https:")
        if not isinstance(result, Answer):
            return unanswered_trial(result, _HINTS, is_tls=is_tls)
        code, words = _code_and_words(result.text)
        return answered_trial(
            self._judge(result, bare(message)),
            REFUSALS.ruling(result.status, code).blame,
            result.status,
            words,
            _HINTS,
            is_tls=is_tls,
        )

    async def _create(self, message: Message) -> Answer | Outcome:
        """Return what came of it, or the answer where it was refused."""
        try:
            taken = await self._messages.create_async(
                to=message.recipient, body=message.text, **self._from, **self._callback(message)
            )
        except _NotCreatedError as error:
            return error.result
        # The port promises a value, whatever the library comes up with.
        except Exception as error:  # noqa: BLE001
            return Unknown("unexpected", type(error).__name__)
        return self._judge_created(taken)

    async def handshake(self) -> Trouble | None:
        config = self._config
        base_url = config.base_url.rstrip("/")
        url = f"{base_url}/2010-04-01/Accounts/{config.account_sid}.json"
        answer = await self._http.get(url, _basic_auth((config.account_sid, config.auth_token)))
        trouble = http_trouble(answer, _HINTS.login, _HINTS.door)
        if trouble is None and isinstance(answer, Answer):
            return _account_trouble(_object(answer.text).get("status"))
        return trouble

    async def close(self) -> None:
        await self._http.close()

    def _callback(self, message: Message) -> dict[str, str]:
        base = self._config.status_callback_base_url
        return {} if base is None else {"status_callback": f"{base.rstrip('/')}/{message.id}"}

    def _judge(self, result: Answer, message: Message) -> Outcome:
        code, words = _code_and_words(result.text)
        ruling = REFUSALS.ruling(result.status, code)
        wait_s = retry_after_s(result.headers, self._clock.now())
        text = redact(words, message, (self._config.auth_token,))
        return outcome_of(
            ruling.blame,
            code or f"http {result.status}",
            text,
            wait_s or ruling.at_least_s,
            in_exchange_about_one=is_about_one(result.status),
        )

    def _judge_created(self, taken: "_Created") -> Outcome:
        if taken.error_code is None:
            return Sent(plain_id(taken.sid))
        code = str(taken.error_code)
        ruling = REFUSALS.codes.get(code, Ruling(blame=Blame.UNKNOWN))
        return outcome_of(
            ruling.blame,
            code,
            "refused when created",
            ruling.at_least_s,
            in_exchange_about_one=True,
        )


class _Poster(Protocol):
    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer | Transient | Unknown: ...

    async def get(self, url: str, headers: Mapping[str, str]) -> Answer | Transient | Unknown: ...

    async def close(self) -> None: ...


class _Created(Protocol):
    sid: str | None
    error_code: int | None


class _Messages(Protocol):
    async def create_async(
        self,
        to: str,
        *,
        body: str,
        from_: str = ...,
        messaging_service_sid: str = ...,
        status_callback: str = ...,
    ) -> _Created: ...


class _NotCreatedError(Exception):
    """Carries through the SDK what came instead of a message resource."""

    def __init__(self, result: Answer | Outcome) -> None:
        super().__init__()
        self.result = result


@dataclass(frozen=True, slots=True)
class _Response:
    """What the SDK reads of a response."""

    status_code: int
    text: str
    headers: Mapping[str, str]


class _Transport:
    """The SDK's HTTP client, as far as it calls one."""

    is_async = True

    def __init__(self, http: _Poster) -> None:
        self._http = http

    async def request(
        self,
        _method: str,
        uri: str,
        *,
        data: Mapping[str, object],
        headers: Mapping[str, str],
        auth: tuple[str, str],
        **_unused: object,
    ) -> _Response:
        body = urlencode(data, doseq=True).encode()
        answer = await self._http.post(uri, body, {**headers, **_basic_auth(auth)})
        if not isinstance(answer, Answer) or answer.status != _CREATED:
            raise _NotCreatedError(answer)
        if "sid" not in _object(answer.text):
            raise _NotCreatedError(Sent())
        return _Response(answer.status, answer.text, answer.headers)


def _messages(config: TwilioConfig, transport: _Transport) -> _Messages:
    # An extra, slow to import, and without types.
    from twilio.rest import Client  # type: ignore[import-untyped]  # noqa: PLC0415

    client = Client(
        config.account_sid, config.auth_token, http_client=transport, environment={"": ""}
    )
    client.api.base_url = config.base_url.rstrip("/")
    return cast("_Messages", client.messages)


def _account_trouble(status: JsonValue) -> Trouble | None:
    if status == "active":
        return None
    word = status if status in ("suspended", "closed") else "not active"
    return Trouble(f"the account is {word}", "see the account in Twilio's console")


def _basic_auth(auth: tuple[str, str]) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(':'.join(auth).encode()).decode()}"}


def _code_and_words(text: str) -> tuple[str | None, str]:
    found = _object(text)
    code, words = found.get("code"), found.get("message")
    return (str(code) if isinstance(code, int) and code else None), (
        words if isinstance(words, str) else ""
    )


def _object(text: str) -> Payload:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
