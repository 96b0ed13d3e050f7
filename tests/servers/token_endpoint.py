"""A token endpoint on loopback: a real HTTP server that checks who asks, and for what.

It gives out access tokens, and tells a mail server whose they are. Use it inside the running loop:

    async with open_token_endpoint() as endpoint:
        endpoint.script(Answer(503))   # the next question; then it is friendly again
"""

import asyncio
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from notifier.notification.model import JsonValue
from tests.servers.processes import LOOPBACK

MAILBOX = "no-reply@shop.example"
CLIENT_ID = "notifier-client"
CLIENT_SECRET = "client-secret-41~x"
REFRESH_TOKEN = "refresh-token-42"
ACCOUNT = "notifier@shop.iam.gserviceaccount.com"
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer so instead of with a token; a text is sent as it is."""

    status: int
    body: JsonValue = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drop:
    """Reset the connection instead of answering."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Do as usual, once `released` is set; `arrived` says that it is held."""

    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)


Step: TypeAlias = Answer | Drop | Hold


class TokenEndpoint:
    """What it was asked is in `asked`, the tokens that a mail server may take in `good`."""

    def __init__(self) -> None:
        self.port = 0
        self.scheme = "http"
        self.asked: list[Mapping[str, str]] = []
        self.good: set[str] = set()
        self.issued: list[str] = []
        self.looked_up: list[str] = []
        self.refresh_tokens = {REFRESH_TOKEN}
        self.rotates = False
        self.lifetime: JsonValue = 3_600
        self.token_chars = 40
        self.mailbox = MAILBOX
        self.key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        self._steps: deque[Step] = deque()

    @property
    def url(self) -> str:
        """Where tokens are asked for."""
        return f"{self.scheme}://{LOOPBACK}:{self.port}/token"

    @property
    def lookup_url(self) -> str:
        """Where a mail server asks whose a token is, with the token behind it."""
        return f"{self.scheme}://{LOOPBACK}:{self.port}/lookup?token="

    def script(self, *steps: Step) -> None:
        """Decide about the next questions, one step each."""
        self._steps.extend(steps)

    def key_file(self) -> str:
        """The service account's key, as Google hands it out."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return json.dumps(
            {
                "type": "service_account",
                "private_key_id": "key-1",
                "private_key": pem.decode(),
                "client_email": ACCOUNT,
                "client_id": "104712345678901234567",
                "token_uri": "https://evil.example/token",
            }
        )

    def accepts(self, user: str, token: str) -> bool:
        """Whether a mail server is to let `user` in."""
        return user == self.mailbox and token in self.good

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """POST /token."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(form)
        match self._steps.popleft() if self._steps else None:
            case Answer() as step if isinstance(step.body, str):
                return web.Response(status=step.status, text=step.body, headers=step.headers)
            case Answer() as step:
                return web.json_response(step.body, status=step.status, headers=step.headers)
            case Drop():
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
            case Hold() as step:
                step.arrived.set()
                await step.released.wait()
        return self._judged(form)

    async def look_up(self, request: web.Request) -> web.Response:
        """GET /lookup: Dovecot's `tokeninfo_url`."""
        token = request.query.get("token", "")
        self.looked_up.append(token)
        if token not in self.good:
            return web.json_response({"error": "invalid_token"}, status=401)
        return web.json_response({"email": self.mailbox, "active": True})

    def _judged(self, form: Mapping[str, str]) -> web.Response:
        match form.get("grant_type"):
            case "refresh_token":
                refusal = self._refused_client(form) or self._refused_consent(form)
            case "client_credentials":
                refusal = self._refused_client(form) or _refused_scope(form)
            case str(grant) if grant == _JWT_BEARER:
                refusal = self._refused_assertion(form)
            case _:
                refusal = ("unsupported_grant_type", "")
        if refusal is not None:
            return refused(*refusal)
        return web.json_response(self._token())

    def _refused_client(self, form: Mapping[str, str]) -> tuple[str, str] | None:
        is_right = (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        return None if is_right else ("invalid_client", "AADSTS7000215: Invalid client secret.")

    def _refused_consent(self, form: Mapping[str, str]) -> tuple[str, str] | None:
        is_known = form.get("refresh_token") in self.refresh_tokens
        return None if is_known else ("invalid_grant", "Token has been expired or revoked.")

    def _refused_assertion(self, form: Mapping[str, str]) -> tuple[str, str] | None:
        try:
            # Not our clock: what it says of times is looked at by the test.
            claims = jwt.decode(
                form["assertion"],
                self.key.public_key(),
                algorithms=["RS256"],
                audience=self.url,
                options={"verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            return "invalid_grant", "Invalid JWT Signature."
        lives = timedelta(seconds=claims["exp"] - claims["iat"])
        if lives > timedelta(hours=1):
            return "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes)"
        if claims["iss"] != ACCOUNT or claims["sub"] != self.mailbox:
            return "unauthorized_client", "Client is unauthorized to retrieve access tokens"
        return None

    def _token(self) -> dict[str, JsonValue]:
        token = f"token-{len(self.issued) + 1}-".ljust(self.token_chars, "x")
        self.issued.append(token)
        self.good.add(token)
        told: dict[str, JsonValue] = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": self.lifetime,
        }
        if self.rotates:
            told["refresh_token"] = f"rotated-{len(self.issued)}"
            self.refresh_tokens = {str(told["refresh_token"])}
        return told


def refused(error: str, words: str) -> web.Response:
    """A refusal as RFC 6749 section 5.2 has it."""
    status = 401 if error == "invalid_client" else 400
    return web.json_response({"error": error, "error_description": words}, status=status)


def _refused_scope(form: Mapping[str, str]) -> tuple[str, str] | None:
    has_one = form.get("scope", "").endswith("/.default")
    return None if has_one else ("invalid_scope", "AADSTS1002012: The scope is not valid.")


@asynccontextmanager
async def open_token_endpoint(tls: ssl.SSLContext | None = None) -> AsyncIterator[TokenEndpoint]:
    """Serve one; over HTTPS where there is a `tls`."""
    endpoint = TokenEndpoint()
    app = web.Application()
    app.router.add_post("/token", endpoint.answer)
    app.router.add_get("/lookup", endpoint.look_up)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, LOOPBACK, 0, ssl_context=tls)
        await site.start()
        endpoint.port = runner.addresses[0][1]
        endpoint.scheme = "http" if tls is None else "https"
        yield endpoint
    finally:
        await runner.cleanup()
