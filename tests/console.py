"""The console, as its tests use it without a browser."""

import re
from collections.abc import Mapping
from html import unescape

import httpx2

from tests.api import Api, client_of

SIGN_IN = "/console/sign-in"


async def signed_in(api: Api, *scopes: str, service: str = "orders") -> httpx2.AsyncClient:
    """Return a client with a session of a new key; close it, or leave it to the test's end."""
    key = await api.key(service, *scopes)
    client = client_of(api.app)
    answer = await client.post(SIGN_IN, data={"key": key.text})
    assert answer.status_code == 303, answer.text
    return client


def token_in(html: str) -> str:
    """The token that a page's forms hold."""
    found = re.search(r'name="token" value="([^"]+)"', html)
    assert found, html
    return found[1]


def text_of(answer: httpx2.Response) -> str:
    """What people read on a page."""
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.text)))


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
