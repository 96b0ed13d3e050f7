"""Noting who asks for a change, and what they were answered."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from notifier.api.kit.access import Caller
from notifier.api.kit.idempotency import REPLAYED
from notifier.api.kit.problems import REQUEST_ID_KEY
from notifier.audience.pseudonym import ERASED, Pseudonyms
from notifier.audit import Act, AuditLog, AuditOutcome, Via, acting
from notifier.errors import NotifierError
from notifier.notification.model import Channel

_PERSONS = ("user_id", "recipient")
"""The parts of a path that name somebody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Auditor:
    """Has changes noted, in the transactions that make them."""

    log: AuditLog
    pseudonyms: Pseudonyms
    new_id: Callable[[], UUID]
    """Makes time-ordered ids (UUIDv7)."""

    async def noted(
        self,
        request: Request,
        caller: Caller,
        *,
        via: Via,
        action: str,
        change: Callable[[], Awaitable[Response]],
    ) -> Response:
        """Return the answer of a change; what it writes is noted as the caller's."""
        act = self._act(request, caller, via, action)
        with acting(act) as under_way:
            try:
                response = await change()
            except Exception:
                if under_way.is_noted:
                    await self._end(act, AuditOutcome.REFUSED)
                raise
        outcome = _outcome(response)
        if under_way.is_noted and outcome is not AuditOutcome.DONE:
            await self._end(act, outcome)
        return response

    async def _end(self, act: Act, outcome: AuditOutcome) -> None:
        # It is not known to be done either way, and the caller is to get the answer.
        with suppress(NotifierError):
            await self.log.end(act.id, outcome)

    def _act(self, request: Request, caller: Caller, via: Via, action: str) -> Act:
        client = request.client
        return Act(
            id=self.new_id(),
            via=via,
            actor=caller.actor or "unknown",
            service=caller.service or None,
            action=action,
            target=self._target(request, caller.service),
            source=client.host if client else "unknown",
            request_id=request.scope[REQUEST_ID_KEY],
        )

    def _target(self, request: Request, service: str) -> str:
        """Return the path, with a keyed hash for whoever is named in it."""
        # A text holds no NUL in PostgreSQL.
        path: str = request.scope["path"].replace("\0", "")
        named: Mapping[str, object] = request.path_params
        for name in _PERSONS:
            if name in named:
                hashed = self.pseudonyms.of(service, Channel.IN_APP, str(named[name]))
                path = path.replace(f"/{named[name]}", f"/{hashed.removeprefix(ERASED)}", 1)
        return path


def _outcome(response: Response) -> AuditOutcome:
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        return AuditOutcome.REFUSED
    return AuditOutcome.REPEATED if REPLAYED in response.headers else AuditOutcome.DONE
