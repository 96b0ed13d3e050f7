"""A request's body that is a file: taken in pieces while it arrives, and never whole."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from starlette.requests import Request

from notifier.api.kit.body import body_too_large, refuse_announced_length, refuse_encoded
from notifier.api.kit.headers import header
from notifier.api.kit.problems import (
    BODY_TIMEOUT,
    MALFORMED_REQUEST,
    UNSUPPORTED_MEDIA_TYPE,
    ProblemError,
)
from notifier.api.kit.rooms import HELD_KEY, SERVICE_KEY, Held


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRules:
    """What an operation takes as a file: these media types, and so much of them."""

    types: Sequence[str]
    max_bytes: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way in."""

    request: Request
    rules: UploadRules
    type: str
    """Its media type, one of the rules', without parameters."""

    async def chunks(self, size: int) -> AsyncIterator[bytes]:
        """Yield it in pieces of `size` bytes, but for the last; each counts as held until the next.

        Raises:
            ProblemError: 413 over what is taken, 408 after the time for it, 400 if it ends early,
                503 if too much is held at this moment.
        """
        held: Held = self.request.scope[HELD_KEY]
        gathered = bytearray()
        async for part in self._parts(held):
            gathered += part
            while len(gathered) >= size:
                yield bytes(gathered[:size])
                del gathered[:size]
                held.give_back(size)
        if gathered:
            yield bytes(gathered)

    async def _parts(self, held: Held) -> AsyncIterator[bytes]:
        scope, rules = self.request.scope, self.rules
        deadline_s = asyncio.get_running_loop().time() + rules.timeout_s
        received, is_whole = 0, False
        while not is_whole:
            message = await self._message(deadline_s)
            part: bytes = message.get("body", b"")
            received += len(part)
            if received > rules.max_bytes:
                raise body_too_large(rules.max_bytes)
            held.add(scope[SERVICE_KEY], len(part))
            yield part
            is_whole = not message.get("more_body", False)

    async def _message(self, deadline_s: float) -> dict[str, bytes]:
        try:
            async with asyncio.timeout_at(deadline_s):
                message = await self.request.receive()
        except TimeoutError as error:
            detail = f"It took over {self.rules.timeout_s:g} s."
            raise ProblemError(BODY_TIMEOUT, detail, headers={"Connection": "close"}) from error
        if message["type"] == "http.disconnect":
            raise ProblemError(MALFORMED_REQUEST, "The body ended early.")
        return dict(message)


def begin_upload(request: Request, rules: UploadRules) -> Upload:
    """Return the file that a request brings, once its head allows it; nothing of it is read.

    Raises:
        ProblemError: 415 for another media type, 413 for what is announced as too much.
    """
    refuse_encoded(request.scope)
    refuse_announced_length(header(request.scope, b"content-length"), rules.max_bytes)
    type = header(request.scope, b"content-type").partition(";")[0].strip().lower()
    if type not in rules.types:
        known = ", ".join(rules.types)
        raise ProblemError(UNSUPPORTED_MEDIA_TYPE, f"Send a Content-Type that is taken: {known}.")
    return Upload(request, rules, type)
