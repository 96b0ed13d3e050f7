"""Operators in the database."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Delete, Insert, Row, Select, Update, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.access.operators import Operator, Role
from notifier.store.kit.database import Database
from notifier.store.kit.paging import listed
from notifier.store.kit.sql import Now, parameter
from notifier.store.operators.tables import console_sessions, operators

Change: TypeAlias = Insert | Update | Delete

_o, _s = operators.c, console_sessions.c
_is_it = _o.login == parameter("which")
_ALL = select(operators).order_by(_o.login)
_GET = select(operators).where(_is_it)
_OF_SUBJECT = select(operators).where(_o.subject == parameter("which"))
_ANY = select(_o.login).limit(1)
_ASSIGN = (
    update(operators)
    .where(_is_it)
    .values(
        role=parameter("to_role"),
        service=parameter("to_service"),
        sees_every_service=parameter("to_every", _o.sees_every_service.type),
    )
)
_REHASH = update(operators).where(_is_it).values(password=parameter("kept"))
_SET_PASSWORD = _REHASH.values(password_set_at=Now())
_DISABLE = update(operators).where(_is_it).values(disabled_at=func.coalesce(_o.disabled_at, Now()))
_ENABLE = update(operators).where(_is_it).values(disabled_at=None)
_REMOVE = delete(operators).where(_is_it)
_END_SESSIONS = delete(console_sessions).where(
    _s.login == parameter("which"), _s.id != parameter("keeps")
)


class SqlOperatorStore:
    """`OperatorStore` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, operator: Operator) -> bool:
        adding = insert(operators).values(
            login=operator.login,
            role=operator.role.value,
            service=operator.service,
            sees_every_service=operator.sees_every_service,
            password=operator.password,
            subject=operator.subject,
            created_at=Now(),
            password_set_at=Now() if operator.password else None,
        )
        return await self._changed(adding.on_conflict_do_nothing(index_elements=[_o.login]), {})

    async def find(self, login: str) -> Operator | None:
        return await self._one(_GET, login)

    async def of_subject(self, subject: str) -> Operator | None:
        return await self._one(_OF_SUBJECT, subject)

    async def list(self) -> Sequence[Operator]:
        return await listed(self._database, _ALL, to_operator)

    async def is_any(self) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            return await connection.scalar(_ANY) is not None

        return await self._database.read(work)

    async def assign(
        self, login: str, role: Role, service: str, *, sees_every_service: bool
    ) -> bool:
        given = {"to_role": role.value, "to_service": service, "to_every": sees_every_service}
        return await self._changed(_ASSIGN, {"which": login, **given})

    async def set_password(self, login: str, kept: str, *, keeps: str | None = None) -> bool:
        given = {"which": login, "kept": kept}
        return await self._ending_sessions(_SET_PASSWORD, given, keeps=keeps)

    async def rehash(self, login: str, kept: str) -> bool:
        return await self._changed(_REHASH, {"which": login, "kept": kept})

    async def disable(self, login: str) -> bool:
        return await self._ending_sessions(_DISABLE, {"which": login})

    async def enable(self, login: str) -> bool:
        return await self._changed(_ENABLE, {"which": login})

    async def remove(self, login: str) -> bool:
        return await self._ending_sessions(_REMOVE, {"which": login})

    async def _one(self, query: Select[Any], which: str) -> Operator | None:
        async def work(connection: AsyncConnection) -> Operator | None:
            row = (await connection.execute(query, {"which": which})).one_or_none()
            return to_operator(row) if row else None

        return await self._database.read(work)

    async def _changed(self, change: Change, given: Mapping[str, object]) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(change, given)).rowcount > 0

        return await self._database.write(work)

    async def _ending_sessions(
        self, change: Change, given: Mapping[str, object], *, keeps: str | None = None
    ) -> bool:
        ending = {"which": given["which"], "keeps": keeps or ""}

        async def work(connection: AsyncConnection) -> bool:
            changed = (await connection.execute(change, given)).rowcount > 0
            await connection.execute(_END_SESSIONS, ending)
            return changed

        return await self._database.write(work)


def to_operator(row: Row[Any]) -> Operator:
    """Return the operator of a row that holds all of the table's columns."""
    return Operator(
        login=row.login,
        role=Role(row.role),
        service=row.service,
        sees_every_service=bool(row.sees_every_service),
        password=row.password,
        subject=row.subject,
        created_at=row.created_at,
        password_set_at=row.password_set_at,
        disabled_at=row.disabled_at,
    )
