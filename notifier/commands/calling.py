"""Calling notifier's API, as a team's own machines and CI do: with a URL and a key."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException
from typing import Annotated, Any, Self, TypeAlias
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import typer

from notifier.errors import NotifierError, SettingsError
from notifier.settings.groups import ClientSettings

_TIMEOUT_S = 60.0
_MOST_BYTES = 32_000_000
_MOST_ERRORS = 20
_PAGE = "200"
Body: TypeAlias = Mapping[str, Any] | tuple[bytes, str] | None
"""JSON, or a file with its media type."""
_PASSING = (408, 409, 429, 500, 502, 503, 504)

AtUrl = Annotated[
    str | None, typer.Option("--url", help="Where notifier answers; else NOTIFIER_URL.")
]
ActingFor = Annotated[
    str | None, typer.Option("--service", help="Whose they are, for a key with the scope admin.")
]


class ApiError(NotifierError):
    """The API is not to be had, or refuses; the message says why, and what to do."""


class OutageError(ApiError):
    """It does not answer, or cannot now: the same may work in a moment."""


class LostRaceError(ApiError):
    """Somebody else changed it first; nothing was changed."""


class RefusedError(ApiError):
    """What was sent is invalid; `problem` is the answer."""

    def __init__(self, message: str, problem: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiClient:
    """Calls the API at `url`. Follows no redirect, for the key would go along."""

    url: str
    key: str = field(repr=False)
    service: str | None = None

    @classmethod
    def of_environment(cls, url: str | None, service: str | None) -> Self:
        """Make one by NOTIFIER_URL and NOTIFIER_API_KEY.

        Raises:
            SettingsError: they are wrong, or there is no key.
        """
        given = {"NOTIFIER_URL": url} if url else {}
        settings = ClientSettings.from_env({**os.environ, **given})
        key = settings.api_key.get_secret_value()
        if not key:
            raise SettingsError("NOTIFIER_API_KEY: is not set; or name its file by ..._FILE")
        return cls(url=settings.url, key=key, service=service)

    def get(self, *path: str, **query: str) -> Any:
        """Return what is there; None if there is no such thing.

        Raises:
            ApiError: the API is not to be had, or refuses.
        """
        return self._called("GET", path, query)

    def put(self, *path: str, body: Mapping[str, Any], if_match: str | None) -> Any:
        """Put a thing in the place of the one with that ETag, or of any.

        Raises:
            LostRaceError: another one is there.
            RefusedError: it is invalid.
            ApiError: the API is not to be had, or refuses otherwise.
        """
        return self._called("PUT", path, {}, body, if_match)

    def patch(self, *path: str, body: Mapping[str, Any]) -> Any:
        """Change a part of a thing. Raises as `put` does."""
        return self._called("PATCH", path, {}, body)

    def post(self, *path: str, body: Mapping[str, Any] | None, if_match: str | None = None) -> Any:
        """Ask for a change. Raises as `put` does."""
        return self._called("POST", path, {}, body, if_match)

    def upload(self, *path: str, content: bytes, type: str) -> Any:
        """Send a file. Raises as `put` does."""
        return self._called("POST", path, {}, (content, type))

    def delete(self, *path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask for something to be removed. Raises as `put` does."""
        return self._called("DELETE", path, {}, body)

    def pages(self, *path: str, **filter: str) -> Iterator[Any]:
        """Yield the items of all pages.

        Raises:
            ApiError: the API is not to be had, or refuses; or there is no such list.
        """
        query = {**filter, "limit": _PAGE}
        while True:
            page = self.get(*path, **query)
            if page is None:
                raise ApiError(f"{self.url} has no {'/'.join(path)}")
            yield from page["items"]
            if page["next"] is None:
                return
            query = dict(parse_qsl(urlsplit(page["next"]).query))
            query.pop("service", None)

    def _called(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, str],
        body: Body = None,
        if_match: str | None = None,
    ) -> Any:
        request = self._request(method, path, query, body)
        if if_match is not None:
            request.add_header("If-Match", if_match)
        try:
            with build_opener(_NoRedirect).open(request, timeout=_TIMEOUT_S) as answer:
                return _read(answer)
        except HTTPError as error:
            if method == "GET" and error.code == HTTPStatus.NOT_FOUND:
                return None
            raise _refusal(error, self.url) from None
        except (URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
            raise OutageError(
                f"{self.url} does not answer ({reason}); --url or NOTIFIER_URL says where it is"
            ) from None

    def _request(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, str],
        body: Body,
    ) -> Request:
        every = {**query, **({"service": self.service} if self.service else {})}
        target = "/".join(quote(each, safe="") for each in path)
        asked = f"?{urlencode(every)}" if every else ""
        headers = {"Authorization": f"Bearer {self.key}", "Accept": "application/json"}
        content, headers["Content-Type"] = _content(body)
        return Request(  # noqa: S310  the settings let http and https through
            f"{self.url}/api/v1/{target}{asked}",
            data=content,
            headers=headers,
            method=method,
        )


def _content(body: Body) -> tuple[bytes | None, str]:
    if isinstance(body, tuple):
        return body
    return (None if body is None else json.dumps(body).encode()), "application/json"


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_options: Any) -> None:
        return None


def _read(answer: Any) -> Any:
    text = answer.read(_MOST_BYTES)
    try:
        return json.loads(text) if text else None
    except ValueError:
        raise ApiError("the answer is no JSON: is this notifier's API?") from None


def _refusal(error: HTTPError, url: str) -> ApiError:
    problem = _problem(error)
    words = "; ".join(_words(problem)) or error.reason
    match error.code:
        case HTTPStatus.UNAUTHORIZED:
            return ApiError(f"{url} does not know the key of NOTIFIER_API_KEY (401)")
        case HTTPStatus.FORBIDDEN:
            return ApiError(f"the key may not do that (403): {words}")
        case HTTPStatus.PRECONDITION_FAILED:
            return LostRaceError(words)
        case HTTPStatus.UNPROCESSABLE_ENTITY:
            return RefusedError(words, problem)
    kind = OutageError if error.code in _PASSING else ApiError
    return kind(f"{url} answered {error.code}: {words}")


def _problem(error: HTTPError) -> Mapping[str, Any]:
    try:
        found = json.loads(error.read(_MOST_BYTES))
    except (OSError, HTTPException, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _words(problem: Mapping[str, Any]) -> Iterator[str]:
    if problem.get("detail") or problem.get("title"):
        yield str(problem.get("detail") or problem["title"])
    for each in problem.get("errors", [])[:_MOST_ERRORS]:
        where = each.get("pointer") or each.get("parameter") or ""
        yield f"{where} {each.get('detail', '')}".strip()
