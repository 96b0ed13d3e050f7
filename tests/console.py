"""The console, as its tests use it without a browser."""

import re
from collections.abc import Mapping
from html import unescape
from html.parser import HTMLParser

import httpx2

from notifier.access.operators import Operator, Role
from tests.api import Api, client_of

SIGN_IN = "/console/sign-in"
PASSWORD = "correct horse battery"


async def signed_in(api: Api, *scopes: str, service: str = "orders") -> httpx2.AsyncClient:
    """Return a client with a session of a new key; close it, or leave it to the test's end."""
    key = await api.key(service, *scopes)
    client = client_of(api.app)
    answer = await client.post(SIGN_IN, data={"key": key.text})
    assert answer.status_code == 303, answer.text
    return client


async def operator(
    api: Api,
    login: str = "anna",
    role: Role = Role.ADMIN,
    service: str = "orders",
    *,
    every: bool = False,
) -> Operator:
    """Add an operator, whose password is `PASSWORD`."""
    kept = await api.services.access.passwords.hashed(PASSWORD)
    it = Operator(
        login=login,
        role=role,
        service=service,
        sees_every_service=every,
        password=kept,
        created_at=api.clock.now(),
    )
    assert await api.services.access.operators.add(it)
    return it


async def entered(
    api: Api, login: str = "anna", role: Role = Role.ADMIN, service: str = "orders"
) -> httpx2.AsyncClient:
    """Return a client in which a new operator signed in."""
    await operator(api, login, role, service)
    client = client_of(api.app)
    answer = await try_password(client, login)
    assert answer.status_code == 303, answer.text
    return client


async def try_password(
    client: httpx2.AsyncClient, login: str, password: str = PASSWORD, **fields: str
) -> httpx2.Response:
    """Sign in as an operator."""
    return await client.post(SIGN_IN, data={"login": login, "password": password, **fields})


def token_in(html: str) -> str:
    """The token that a page's forms hold."""
    found = re.search(r'name="token" value="([^"]+)"', html)
    assert found, html
    return found[1]


def text_of(answer: httpx2.Response) -> str:
    """What people read on a page."""
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.text)))


class _Fields(HTMLParser):
    """What a page's forms hold, by the names of fields; of several of a name, the last one's."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._area = self._choice = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        name, value = told.get("name") or "", told.get("value") or ""
        is_on = told.get("type") not in ("checkbox", "radio") or "checked" in told
        match tag:
            case "input" if name and is_on:
                self.found[name] = value
            case "textarea":
                self._area = name
                self.found[name] = ""
            case "select":
                self._choice = name
            case "option" if "selected" in told:
                self.found[self._choice] = value

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            # A browser leaves out the line break that an area begins with.
            self.found[self._area] = self.found[self._area].removeprefix("\n")
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.found[self._area] += data


def fields_in(answer: httpx2.Response) -> dict[str, str]:
    """What a page's forms hold, as a browser would post it."""
    parser = _Fields()
    parser.feed(answer.text)
    return parser.found


def flaws_in(answer: httpx2.Response) -> dict[str, str]:
    """What is said to be wrong, by the field at which it is said."""
    found = re.findall(r'<p class="flaw" id="([a-z_]+)-flaw">([^<]*)</p>', answer.text)
    return {field: unescape(words) for field, words in found}


async def post(
    client: httpx2.AsyncClient, path: str, fields: Mapping[str, object], **headers: str
) -> httpx2.Response:
    """Post a form with the token that pages of its session hold."""
    token = token_in((await client.get("/console/-")).text)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(path, data={**fields, "token": token}, headers=named)
