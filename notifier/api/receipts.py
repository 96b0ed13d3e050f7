"""The endpoints that providers call: what became of a notification that they took.

They need no API key: a signature over the raw body says who calls. What can be no signature is
refused before the body is read, and what is none before anything of the body is looked at.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from starlette.responses import Response

from notifier.api.kit.body import read_body
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import HeaderParameter, Operation, Reply
from notifier.api.kit.problems import (
    BAD_SIGNATURE,
    MALFORMED_JSON,
    NOT_FOUND,
    UNAVAILABLE,
    ProblemError,
)
from notifier.errors import MalformedError, UncheckedError, UnsignedError
from notifier.providers.receipt import Callback, CallbackRoute, Receipt, ReceiptStore

log = structlog.get_logger(__name__)

_TAG = "Callbacks"
_FIRST_WAIT_S = 0.1
_TAKEN: Mapping[int, Reply] = {204: Reply(description="Taken, or of no use")}


class ReceiptDesk:
    """Gives receipts to the store, and waits for attempts that are under way meanwhile."""

    def __init__(self, receipts: ReceiptStore, *, patience_s: float, max_waiting: int) -> None:
        self._receipts = receipts
        self._patience_s = patience_s
        self._max_waiting = max_waiting
        self._waiting = 0

    async def apply(self, provider: str, receipts: Sequence[Receipt]) -> None:
        """Apply `receipts`.

        Raises:
            ProblemError: 503, some came during an attempt that goes on; the provider is to call
                again.
        """
        applied = await self._receipts.apply(receipts)
        early = applied.early
        log.info(
            "callback.taken",
            provider=provider,
            receipts=len(receipts),
            changed=applied.changed,
            early=len(early),
        )
        if early and not await self._wait(early):
            log.warning("callback.put_off", provider=provider, receipts=len(early))
            detail = "What it is about is being sent at this moment. Call again."
            raise _put_off(detail)

    async def _wait(self, early: Sequence[Receipt]) -> bool:
        if self._waiting >= self._max_waiting:
            return False
        self._waiting += 1
        try:
            return await self._apply_later(early)
        finally:
            self._waiting -= 1

    async def _apply_later(self, early: Sequence[Receipt]) -> bool:
        waited_s, wait_s = 0.0, _FIRST_WAIT_S
        while early and waited_s < self._patience_s:
            await asyncio.sleep(wait_s)
            waited_s, wait_s = waited_s + wait_s, wait_s * 2
            early = (await self._receipts.apply(early)).early
        return not early


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptEndpoints:
    """Takes what providers report, each in its own way."""

    routes: Sequence[CallbackRoute]
    desk: ReceiptDesk
    body_timeout_s: float

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return [self._operation(route) for route in self.routes]

    def _operation(self, route: CallbackRoute) -> Operation:
        async def take(call: Call[None, None]) -> Response:
            return await self._take(route, call)

        return Operation(
            id=route.name,
            method="POST",
            path=f"/callbacks/{route.path}",
            summary=route.summary,
            description=route.description,
            tag=_TAG,
            serve=take,
            headers=tuple(_required(*each) for each in route.signed_by.items()),
            replies=_TAKEN,
            problems=(BAD_SIGNATURE, MALFORMED_JSON, NOT_FOUND),
        )

    async def _take(self, route: CallbackRoute, call: Call[None, None]) -> Response:
        headers = dict(call.request.headers)
        id = call.request.path_params.get("id")
        try:
            route.check(headers)
            body = await read_body(
                call.request, max_bytes=route.max_body_bytes, timeout_s=self.body_timeout_s
            )
            receipts = await route.read(Callback(headers=headers, body=body, id=id))
        except UnsignedError as error:
            raise _refused(route, str(error)) from error
        except UncheckedError as error:
            log.warning("callback.unchecked", provider=route.provider, reason=str(error))
            raise _put_off("What it takes to check it cannot be had now. Call again.") from error
        except MalformedError as error:
            raise ProblemError(MALFORMED_JSON, str(error)) from error
        await self.desk.apply(route.provider, receipts)
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _required(name: str, description: str) -> HeaderParameter:
    return HeaderParameter(name=name, description=description, schema={"type": "string"})


def _refused(route: CallbackRoute, reason: str) -> ProblemError:
    log.warning("callback.refused", provider=route.provider, reason=reason)
    detail = f"It is not signed, or not for this URL and body: {reason}."
    return ProblemError(BAD_SIGNATURE, detail)


def _put_off(detail: str) -> ProblemError:
    return ProblemError(UNAVAILABLE, detail, headers={"Retry-After": "60"})
