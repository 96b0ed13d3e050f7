"""Idempotency-Key: the same request again gets the same answer, and has no second effect."""

import hashlib
import hmac
import re

import orjson
from starlette.requests import Request
from starlette.responses import Response

from notifier.api.kit.access import Caller
from notifier.api.kit.answers import Answer
from notifier.api.kit.headers import header_values
from notifier.api.kit.problems import KEY_REUSED, ProblemError, invalid_parameter
from notifier.idempotency import Idempotency, KeyReused, Once, Remembered
from notifier.value import value

REPLAYED = "Idempotency-Replayed"
"""The header of an answer that was given before."""

_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_KEY = re.compile(r"[\x20-\x7e]{1,255}")


def remembered(answer: str) -> Response:
    """Return the response that was kept as `answer`, and say that it is one."""
    members = orjson.loads(answer)
    headers = {**members["headers"], REPLAYED: "true"}
    return Answer(status=members["status"], body=members["body"], headers=headers).response()


def key_reused() -> ProblemError:
    """Return the problem of a key that came with another request before."""
    return ProblemError(KEY_REUSED, "It came with another request. Use a new key for a new one.")


@value
class Keeping:
    """What an idempotent request is known by, with its body as it came."""

    request: Request
    caller: Caller
    body: bytes
    pepper: bytes
    """The fingerprint is an HMAC: a bare hash of a short body could be guessed back."""
    once: Once

    def of(self, answer: Answer) -> Idempotency | None:
        """Return what the store is to keep with the effect of the request; None without a key.

        Raises:
            ProblemError: 422, the header is no key.
        """
        values = header_values(self.request.scope, b"idempotency-key")
        if not values:
            return None
        return Idempotency(
            service=self.caller.service,
            key=_key(values),
            fingerprint=_fingerprint(self.request, self.body, self.pepper),
            answer=answer.stored(),
        )

    async def earlier(self) -> Response | None:
        """Return the answer that the request had when it came first; None if it comes first now.

        For requests that are refused: what was valid then may have become invalid with time.

        Raises:
            ProblemError: 422, its key came with another request, or is none.
        """
        values = header_values(self.request.scope, b"idempotency-key")
        if not values:
            return None
        found = await self.once.remembered(
            service=self.caller.service,
            key=_key(values),
            fingerprint=_fingerprint(self.request, self.body, self.pepper),
        )
        match found:
            case Remembered(earlier):
                return remembered(earlier)
            case KeyReused():
                raise key_reused()
            case None:
                return None


def _fingerprint(request: Request, body: bytes, pepper: bytes) -> str:
    told = [request.method.encode(), request.scope["path"].encode(), body]
    if query := request.scope["query_string"]:
        told.append(query)
    return hmac.new(pepper, b"\0".join(told), hashlib.sha256).hexdigest()


def _key(values: list[str]) -> str:
    value = values[0].strip()
    quoted = _QUOTED.fullmatch(value)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else value
    if len(values) > 1 or not _KEY.fullmatch(key):
        raise invalid_parameter("Idempotency-Key", "expected 1 to 255 printable ASCII characters")
    return key
