"""Signing in elsewhere: what a provider says, what it may not, and who somebody is here then."""

import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from structlog.testing import capture_logs

from notifier.access.openid import JOURNEY_S
from notifier.access.operators import Operator, Role
from notifier.audit import AuditFilter
from notifier.composition.openid import elsewhere, roles_of
from notifier.errors import SettingsError
from notifier.settings.sign_in import OpenIdSettings
from tests.api import Api, client_of, listening, serving
from tests.console import operator, text_of

AWAY = "/console/sign-in/elsewhere"
OVERVIEW = "/console/overview"
SECRET = "s+c%t"
KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
NEVER = 10_000_000_000


@dataclass
class Provider:
    """A small provider, that may lie."""

    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    """Of its token, besides the usual."""
    userinfo: dict[str, Any] | None = None
    signed: Callable[[dict[str, Any]], str] | None = None
    says_issuer: str = ""
    status: int = 200
    asked: Mapping[str, str] = field(default_factory=dict)
    """What somebody came to it with."""
    presented: Mapping[str, str] = field(default_factory=dict)
    """What its client presented, for a token."""
    login: str = ""

    def app(self) -> Starlette:
        """Return it as an application."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/token", self._token, methods=["POST"]),
                Route("/keys", self._keys),
                Route("/userinfo", self._userinfo),
            ]
        )

    async def _configuration(self, _request: Request) -> Response:
        found = {
            "issuer": self.says_issuer or self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        more = {"userinfo_endpoint": f"{self.issuer}/userinfo"} if self.userinfo else {}
        return JSONResponse({**found, **more})

    async def _token(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        self.presented = {name: values[0] for name, values in form.items()}
        scheme, _, pair = request.headers["authorization"].partition(" ")
        self.login = f"{scheme} {b64decode(pair).decode()}"
        if self.status != 200:
            return JSONResponse({"error": "invalid_grant"}, self.status)
        usual = {
            "iss": self.issuer,
            "sub": "42",
            "aud": "notifier",
            "exp": NEVER,
            "iat": 1,
            "nonce": self.asked["nonce"],
            "preferred_username": "Anna.B",
            "groups": ["Admins", "staff"],
        }
        claims = {k: v for k, v in {**usual, **self.claims}.items() if v is not None}
        return JSONResponse({"id_token": (self.signed or signed)(claims), "access_token": "at"})

    async def _keys(self, _request: Request) -> Response:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
        return JSONResponse({"keys": [{**public, "kid": "k1", "use": "sig"}]})

    async def _userinfo(self, request: Request) -> Response:
        assert request.headers["authorization"] == "Bearer at"
        return JSONResponse(self.userinfo)


def signed(claims: dict[str, Any], key: Any = KEY, algorithm: str = "RS256") -> str:
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "k1"})


@dataclass(frozen=True)
class Rig:
    """A console that sends people to a provider, and somebody who goes there."""

    api: Api
    provider: Provider
    client: httpx2.AsyncClient

    async def go(self, wanted: str = OVERVIEW) -> httpx2.Response:
        """Go to the provider; its page is not asked for."""
        left = await self.client.get(AWAY, params={"next": wanted})
        query = parse_qs(urlsplit(left.headers["location"]).query)
        self.provider.asked = {name: values[0] for name, values in query.items()}
        return left

    async def come_back(self, **changes: str) -> httpx2.Response:
        """Come back from it with a code."""
        query = {"code": "a code", "state": self.provider.asked["state"], **changes}
        return await self.client.get(f"{AWAY}/back", params=query)

    async def sign_on(self) -> httpx2.Response:
        """Go there and come back."""
        await self.go()
        return await self.come_back()

    async def operators(self) -> list[Operator]:
        """Who may sign in."""
        return list(await self.api.services.access.operators.list())


@asynccontextmanager
async def rigged(folder: Path, **settings: Any) -> AsyncIterator[Rig]:
    provider = Provider()
    async with listening(provider.app()) as (_, url):
        provider.issuer = url
        usual = {
            "issuer": url,
            "client_id": "notifier",
            "client_secret": SECRET,
            "roles": ("Admins=admin", "staff=viewer"),
        }
        named = OpenIdSettings.model_validate({**usual, **settings})
        async with serving(folder, openid=named) as api:
            yield Rig(api, provider, client_of(api.app))


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rigged(tmp_path) as it:
        yield it


async def test_somebody_is_sent_there_and_comes_back_as_an_operator(rig: Rig) -> None:
    left = await rig.go()
    answer = await rig.come_back()

    asked = rig.provider.asked
    assert left.headers["location"].startswith(f"{rig.provider.issuer}/authorize?")
    assert asked["redirect_uri"] == f"http://notifier{AWAY}/back"
    assert (asked["scope"], asked["response_type"]) == ("openid profile email", "code")
    cookie = left.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "Max-Age=600", f"Path={AWAY}", "SameSite=lax"} <= set(cookie)
    assert answer.headers["location"] == OVERVIEW
    assert (await rig.client.get(OVERVIEW)).status_code == 200
    [anna] = await rig.operators()
    assert (anna.login, anna.role, anna.service, anna.sees) == (
        "anna.b", Role.ADMIN, "operators", None,
    )  # fmt: skip
    [entry] = await rig.api.stores.audit.list(
        AuditFilter(action=f"GET {AWAY}/back"), limit=9, after=None
    )
    assert (entry.act.actor, entry.act.target) == ("operator:anna.b", f"{AWAY}/back")


async def test_the_code_is_bound_to_who_began_and_to_its_client(rig: Rig) -> None:
    await rig.sign_on()

    verifier = rig.provider.presented["code_verifier"]
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert rig.provider.asked["code_challenge"] == challenge
    assert rig.provider.login == "Basic notifier:s%2Bc%25t"
    assert SECRET not in json.dumps(rig.provider.presented)


async def test_their_role_is_that_of_their_groups_at_each_sign_in(rig: Rig) -> None:
    await rig.sign_on()
    await rig.api.services.access.operators.assign(
        "anna.b", Role.ADMIN, "shop", sees_every_service=False
    )
    rig.provider.claims = {"groups": "staff", "preferred_username": "renamed"}

    await rig.sign_on()

    [anna] = await rig.operators()
    assert (anna.login, anna.role, anna.sees) == ("anna.b", Role.VIEWER, "shop")


async def test_a_login_that_somebody_has_stays_theirs(rig: Rig) -> None:
    await operator(rig.api, "anna.b", Role.VIEWER)

    await rig.sign_on()

    first, second = await rig.operators()
    assert (first.login, first.role, first.subject) == ("anna.b", Role.VIEWER, None)
    assert second.login.startswith("anna.b-")
    assert second.role is Role.ADMIN


async def test_groups_may_be_told_beside_the_token(rig: Rig) -> None:
    rig.provider.claims = {"groups": None}
    rig.provider.userinfo = {"sub": "42", "groups": ["staff"]}

    assert (await rig.sign_on()).headers["location"] == OVERVIEW

    [anna] = await rig.operators()
    assert anna.role is Role.VIEWER


async def test_who_has_no_role_is_told_so_and_is_no_operator(rig: Rig) -> None:
    rig.provider.claims = {"groups": ["guests"]}

    answer = await rig.sign_on()

    assert answer.status_code == 401
    assert "have no role here" in text_of(answer)
    assert await rig.operators() == []


async def test_who_is_let_in_no_longer_is_not_let_in_from_elsewhere(rig: Rig) -> None:
    await rig.sign_on()
    await rig.api.services.access.operators.disable("anna.b")

    answer = await rig.sign_on()

    assert answer.status_code == 401
    assert "let in here no longer" in text_of(answer)
    assert (await rig.client.get(OVERVIEW)).status_code == 303


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"iss": "https://id.example"},
        {"exp": 1},
        {"nonce": "of another"},
        {"nonce": None},
        {"sub": None},
        {"azp": "another"},
    ],
)
async def test_a_token_of_another_sign_in_opens_nothing(rig: Rig, claims: dict[str, Any]) -> None:
    rig.provider.claims = claims

    answer = await rig.sign_on()

    assert answer.status_code == 401
    assert "token" in text_of(answer)
    assert await rig.operators() == []


@pytest.mark.parametrize(
    "how",
    [
        lambda claims: signed(claims, OTHER_KEY),
        lambda claims: signed(claims, SECRET.ljust(64, "x"), "HS256"),
        lambda claims: jwt.encode(claims, "", algorithm="none"),
        lambda claims: jwt.encode(claims, KEY, algorithm="RS256", headers={"kid": "k2"}),
        lambda _: "no token",
        lambda _: "",
    ],
)
async def test_a_token_that_the_provider_did_not_sign_opens_nothing(
    rig: Rig, how: Callable[[dict[str, Any]], str]
) -> None:
    rig.provider.signed = how

    answer = await rig.sign_on()

    assert answer.status_code == 401
    assert await rig.operators() == []


async def test_what_the_provider_says_wrong_is_said_without_naming_anybody(rig: Rig) -> None:
    rig.provider.status = 400

    with capture_logs() as logs:
        answer = await rig.sign_on()

    assert "answers 400 invalid_grant" in text_of(answer)
    [refused] = [each for each in logs if each["event"] == "console.sign_on_failed"]
    assert "invalid_grant" in refused["reason"]
    assert "a code" not in repr(logs)
    assert SECRET not in repr(logs)


async def test_a_provider_that_says_it_is_another_is_not_asked(rig: Rig) -> None:
    rig.provider.says_issuer = "https://id.example"

    answer = await rig.client.get(AWAY)

    assert answer.status_code == 401
    assert "says that it is another" in text_of(answer)


async def test_userinfo_of_somebody_else_opens_nothing(rig: Rig) -> None:
    rig.provider.claims = {"groups": None}
    rig.provider.userinfo = {"sub": "43", "groups": ["Admins"]}

    assert (await rig.sign_on()).status_code == 401
    assert await rig.operators() == []


async def test_nobody_comes_back_from_where_they_did_not_go(rig: Rig) -> None:
    await rig.go()
    stranger = replace(rig, client=client_of(rig.api.app))

    answers = [
        await stranger.come_back(),
        await rig.come_back(state="another"),
        await rig.come_back(state=""),
    ]

    assert {each.status_code for each in answers} == {401}
    assert await rig.operators() == []


async def test_a_way_back_is_open_for_ten_minutes(rig: Rig) -> None:
    await rig.go()
    rig.api.clock.days_on = (JOURNEY_S + 1) / 86_400

    answer = await rig.come_back()

    assert "took too long" in text_of(answer)


async def test_who_turns_back_is_asked_again(rig: Rig) -> None:
    await rig.go()
    query = {"error": "access_denied", "state": rig.provider.asked["state"]}

    answer = await rig.client.get(f"{AWAY}/back", params=query)

    assert answer.status_code == 401
    assert "does not let you in" in text_of(answer)
    assert "Sign in with single sign-on" in text_of(answer)


async def test_a_provider_that_is_away_is_said(tmp_path: Path) -> None:
    async with rigged(tmp_path, issuer="http://127.0.0.1:9") as rig:
        answer = await rig.client.get(AWAY)

    assert answer.status_code == 401
    assert "cannot be reached" in text_of(answer)


async def test_without_a_provider_there_is_no_way_there(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        assert (await api.client.get(AWAY)).status_code == 404
        assert (await api.client.get(f"{AWAY}/back")).status_code == 404


@pytest.mark.parametrize("written", [(), ("staff",), ("staff=owner",), ("=viewer",)])
def test_roles_that_read_wrong_are_refused_with_how_they_are_written(
    written: tuple[str, ...],
) -> None:
    with pytest.raises(SettingsError, match=r"NOTIFIER_OPENID__ROLES: expected such as staff"):
        roles_of(written)


def test_a_group_may_hold_anything_and_everybody_is_a_star() -> None:
    assert roles_of(("a=b=admin", "*=viewer")) == {"a=b": Role.ADMIN, "*": Role.VIEWER}


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"client_id": ""}, "CLIENT_ID"), ({"ca_path": "/nowhere"}, "CA_PATH: no certificates")],
)
def test_what_is_set_in_part_is_refused(changes: dict[str, Any], words: str) -> None:
    usual = {"issuer": "https://id.example", "client_id": "c", "roles": ("*=viewer",)}
    settings = OpenIdSettings.model_validate({**usual, **changes})

    with pytest.raises(SettingsError, match=words):
        elsewhere(settings, None)  # type: ignore[arg-type]  # nobody is asked
