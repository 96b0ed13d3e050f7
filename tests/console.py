"""The console, as its tests use it without a browser."""

import re
from collections.abc import Mapping

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


async def post(
    client: httpx2.AsyncClient, path: str, fields: Mapping[str, object], **headers: str
) -> httpx2.Response:
    """Post a form with the token that pages of its session hold."""
    token = token_in((await client.get("/console/-")).text)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(path, data={**fields, "token": token}, headers=named)
