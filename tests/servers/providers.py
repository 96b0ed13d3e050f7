"""Stand-ins for SendGrid and Twilio: real HTTP servers that speak as the vendors document.

They check authentication and fields, record what arrived, and can be told to refuse, delay, drop
and throttle. Use them inside the running loop:

    async with open_sendgrid() as sendgrid:
        sendgrid.script(Refuse(400, ...), Drop())   # the next two requests; then it takes again
"""

import asyncio
import json
import time
from base64 import b64decode
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TypeAlias
from uuid import uuid4

from aiohttp import web

from notifier.notification.model import JsonValue


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with this status and body instead of taking the request."""

    status: int
    body: JsonValue = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DropBeforeReading:
    """Reset the connection without having read the body; nothing is taken."""


@dataclass(frozen=True, slots=True)
class DropAfterTaking:
    """Take the message, then reset the connection instead of answering."""


@dataclass(frozen=True, slots=True)
class BreakOffAnswer:
    """Take the message, and close in the middle of the answer's body."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Take the message, and answer only once `released` is set; `arrived` says it is held."""

    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)


Step: TypeAlias = Refuse | DropBeforeReading | DropAfterTaking | BreakOffAnswer | Hold


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that the provider took; `fields` is the JSON payload or the form."""

    provider_id: str
    fields: Mapping[str, JsonValue]


class Provider:
    """What both stand-ins share. `arrivals` is in the order of taking.

    With `limit_per_s` set it throttles whatever exceeds that many requests in any second.
    """

    def __init__(self) -> None:
        self.port = 0
        self.arrivals: list[Arrival] = []
        self.requests = 0
        self.limit_per_s: int | None = None
        self.taken_at_s: list[float] = []
        self.throttled_at_s: list[float] = []
        self.runner: web.AppRunner | None = None
        self._steps: deque[Step] = deque()

    def script(self, *steps: Step) -> None:
        """Decide about the next requests, one step each."""
        self._steps.extend(steps)

    @property
    def base_url(self) -> str:
        """What to give to an adapter."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        """How many clients are connected."""
        server = self.runner.server if self.runner else None
        return len(server.connections) if server else 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        step = self._steps.popleft() if self._steps else self._limit()
        match step:
            case Refuse():
                await request.read()
                return web.json_response(step.body, status=step.status, headers=step.headers)
            case DropBeforeReading():
                return self._drop(request)
        refusal = await self.refusal(request)
        if refusal is not None:
            return refusal
        answer = self._take(await self.fields(request))
        return await self._reply(step, request, answer)

    async def look(self, request: web.Request) -> web.Response:
        """Answer what asks and sends nothing."""
        raise NotImplementedError

    def throttle(self, seconds: int) -> Refuse:
        raise NotImplementedError

    def _limit(self) -> Refuse | None:
        now_s = time.monotonic()
        lately = sum(1 for at_s in self.taken_at_s if at_s > now_s - 1)
        if self.limit_per_s is not None and lately >= self.limit_per_s:
            self.throttled_at_s.append(now_s)
            return self.throttle(1)
        self.taken_at_s.append(now_s)
        return None

    async def _reply(
        self, step: Step | None, request: web.Request, answer: web.Response
    ) -> web.StreamResponse:
        match step:
            case DropAfterTaking():
                return self._drop(request)
            case BreakOffAnswer():
                return await self._break_off(request, answer)
            case Hold():
                step.arrived.set()
                await step.released.wait()
        return answer

    def _take(self, fields: Mapping[str, JsonValue]) -> web.Response:
        arrival = Arrival(self.new_id(), fields)
        self.arrivals.append(arrival)
        return self.answer(arrival)

    def _drop(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _break_off(self, request: web.Request, answer: web.Response) -> web.StreamResponse:
        broken = web.StreamResponse(status=answer.status, headers={"Content-Length": "9999"})
        await broken.prepare(request)
        await broken.write(b'{"si')
        return self._drop(request)

    async def refusal(self, request: web.Request) -> web.Response | None:
        raise NotImplementedError

    async def fields(self, request: web.Request) -> Mapping[str, JsonValue]:
        raise NotImplementedError

    def new_id(self) -> str:
        raise NotImplementedError

    def answer(self, arrival: Arrival) -> web.Response:
        raise NotImplementedError


class SendGrid(Provider):
    """POST /v3/mail/send, and GET /v3/scopes."""

    def __init__(self, api_key: str) -> None:
        super().__init__()
        self.api_key = api_key
        self.scopes = ["mail.send", "sender_verification_eligible"]

    async def look(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {self.api_key}":
            return _sendgrid_error(401, "authorization required", None)
        return web.json_response({"scopes": self.scopes})

    def throttle(self, seconds: int) -> Refuse:
        """A 429 as SendGrid sends it."""
        reset = str(int(time.time()) + seconds)
        body: JsonValue = {"errors": [{"field": None, "message": "too many requests"}]}
        return Refuse(429, body, {"X-RateLimit-Reset": reset, "X-RateLimit-Remaining": "0"})

    async def refusal(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") != f"Bearer {self.api_key}":
            return _sendgrid_error(401, "The provided authorization grant is invalid", None)
        if request.content_type != "application/json":
            return _sendgrid_error(415, "Content-Type should be application/json.", None)
        return _sendgrid_problem(await self.fields(request))

    async def fields(self, request: web.Request) -> Mapping[str, JsonValue]:
        try:
            found = json.loads(await request.read())
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def new_id(self) -> str:
        return uuid4().hex[:22]

    def answer(self, arrival: Arrival) -> web.Response:
        return web.Response(status=202, headers={"X-Message-Id": arrival.provider_id})


class Twilio(Provider):
    """POST /2010-04-01/Accounts/{sid}/Messages.json, and GET of the account."""

    def __init__(self, account_sid: str, auth_token: str) -> None:
        super().__init__()
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.account_status = "active"

    async def look(self, request: web.Request) -> web.Response:
        if _basic_credentials(request) != f"{self.account_sid}:{self.auth_token}":
            return _twilio_error(401, 20003, "Authenticate")
        account: JsonValue = {"sid": self.account_sid, "status": self.account_status}
        return web.json_response(account)

    def throttle(self, seconds: int) -> Refuse:
        """A 429 as Twilio sends it."""
        return twilio_refusal(429, 20429, "Too Many Requests", {"Retry-After": str(seconds)})

    async def refusal(self, request: web.Request) -> web.Response | None:
        if _basic_credentials(request) != f"{self.account_sid}:{self.auth_token}":
            return _twilio_error(401, 20003, "Authenticate")
        if request.match_info["sid"] != self.account_sid:
            return _twilio_error(404, 20404, "The requested resource was not found")
        form = await self.fields(request)
        if not form.get("To"):
            return _twilio_error(400, 21604, "A 'To' phone number is required.")
        if not (form.get("From") or form.get("MessagingServiceSid")):
            return _twilio_error(400, 21603, "A 'From' phone number is required.")
        if not form.get("Body"):
            return _twilio_error(400, 21602, "Message body is required.")
        return None

    async def fields(self, request: web.Request) -> Mapping[str, JsonValue]:
        return {name: str(value) for name, value in (await request.post()).items()}

    def new_id(self) -> str:
        return f"SM{uuid4().hex}"

    def answer(self, arrival: Arrival) -> web.Response:
        return web.json_response(self._resource(arrival), status=201)

    def _resource(self, arrival: Arrival) -> dict[str, JsonValue]:
        now = formatdate(usegmt=False)
        return {
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "body": arrival.fields["Body"],
            "date_created": now,
            "date_sent": None,
            "date_updated": now,
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "from": arrival.fields.get("From"),
            "messaging_service_sid": arrival.fields.get("MessagingServiceSid"),
            "num_media": "0",
            "num_segments": "1",
            "price": None,
            "price_unit": None,
            "sid": arrival.provider_id,
            "status": "queued",
            "subresource_uris": {},
            "to": arrival.fields["To"],
            "uri": f"/2010-04-01/Accounts/{self.account_sid}/Messages/{arrival.provider_id}.json",
        }


@asynccontextmanager
async def open_sendgrid(api_key: str = "SG.key", port: int = 0) -> AsyncIterator[SendGrid]:
    """Serve a SendGrid on loopback."""
    provider = SendGrid(api_key)
    async with _serve(provider, "/v3/mail/send", "/v3/scopes", port):
        yield provider


@asynccontextmanager
async def open_twilio(
    account_sid: str = "AC0",
    auth_token: str = "token",  # noqa: S107
    port: int = 0,
) -> AsyncIterator[Twilio]:
    """Serve a Twilio on loopback."""
    provider = Twilio(account_sid, auth_token)
    account = "/2010-04-01/Accounts/{sid}"
    async with _serve(provider, f"{account}/Messages.json", f"{account}.json", port):
        yield provider


def twilio_refusal(
    status: int, code: int, message: str, headers: Mapping[str, str] | None = None
) -> Refuse:
    """A refusal with Twilio's error body."""
    return Refuse(status, _twilio_body(status, code, message), headers or {})


def sendgrid_refusal(status: int, message: str, field: str | None = None) -> Refuse:
    """A refusal with SendGrid's error body."""
    return Refuse(status, _sendgrid_body(message, field))


@asynccontextmanager
async def _serve(provider: Provider, path: str, look_at: str, port: int) -> AsyncIterator[None]:
    app = web.Application(client_max_size=30 * 2**20)
    app.router.add_post(path, provider.handle)
    app.router.add_get(look_at, provider.look)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    provider.runner = runner
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        provider.port = runner.addresses[0][1]
        yield
    finally:
        await runner.cleanup()


def _sendgrid_problem(payload: Mapping[str, JsonValue]) -> web.Response | None:
    if not payload:
        return _sendgrid_error(400, "Bad Request", None)
    missing = {
        "personalizations": "The personalizations field is required and must have at least one.",
        "from": "The from object must be provided for every email send.",
        "content": "Unless a valid template_id is provided, the content parameter is required.",
        "subject": "The subject is required.",
    }
    for name, message in missing.items():
        if not payload.get(name):
            return _sendgrid_error(400, message, name)
    return _content_problem(payload["content"])


def _content_problem(content: JsonValue) -> web.Response | None:
    types = (
        [part.get("type") for part in content if isinstance(part, dict)]
        if isinstance(content, list)
        else []
    )
    if types not in (["text/plain"], ["text/html"], ["text/plain", "text/html"]):
        return _sendgrid_error(400, "text/plain must come first, then text/html.", "content")
    return None


def _sendgrid_body(message: str, field: str | None) -> JsonValue:
    return {"errors": [{"message": message, "field": field, "help": None}]}


def _sendgrid_error(status: int, message: str, field: str | None) -> web.Response:
    return web.json_response(_sendgrid_body(message, field), status=status)


def _twilio_body(status: int, code: int, message: str) -> JsonValue:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return {"code": code, "message": message, "more_info": more, "status": status}


def _twilio_error(status: int, code: int, message: str) -> web.Response:
    return web.json_response(_twilio_body(status, code, message), status=status)


def _basic_credentials(request: web.Request) -> str | None:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    return b64decode(encoded).decode() if scheme == "Basic" else None
