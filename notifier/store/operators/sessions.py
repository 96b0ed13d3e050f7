"""Sessions in the database."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Delete, Integer, Row, Update, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.access.operators import Operator
from notifier.access.sessions import Session
from notifier.store.kit.database import Database
from notifier.store.kit.forgetting import forget_all
from notifier.store.kit.paging import listed
from notifier.store.kit.sql import Now, UtcTime, parameter
from notifier.store.operators.keeping import to_operator
from notifier.store.operators.tables import console_sessions, operators

_PURGED_AT_ONCE = 1_000

_s = console_sessions.c
_COLUMNS = ("id", "key_id", "login", "began_at", "ends_at", "source", "agent")
_is_it = _s.id == parameter("which")
_are_theirs = (_s.login == parameter("of_login"), _s.key_id == parameter("of_key_id"))
_began = [_s[name].label(f"session_{name}") for name in _COLUMNS]
_GET = (
    select(*_began, *operators.c)
    .join_from(console_sessions, operators, operators.c.login == _s.login, isouter=True)
    .where(_is_it)
)
_LIST = select(*_began).where(*_are_theirs, _s.ends_at > Now()).order_by(_s.began_at.desc())
_BEGIN = insert(console_sessions)
_RENEW = update(console_sessions).where(_is_it).values(ends_at=parameter("until", UtcTime))
_END = delete(console_sessions).where(_is_it)
_END_ALL = delete(console_sessions).where(*_are_theirs, _s.id != parameter("keeps"))
_over = select(_s.id).where(_s.ends_at <= Now()).limit(parameter("limit", Integer))
_PURGE = delete(console_sessions).where(_s.id.in_(_over))


class SqlSessionStore:
    """`SessionStore` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, session: Session) -> None:
        given = {name: getattr(session, name) for name in _COLUMNS}

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(_BEGIN, given)

        await self._database.write(work)

    async def find(self, id: str) -> tuple[Session, Operator | None] | None:
        async def work(connection: AsyncConnection) -> tuple[Session, Operator | None] | None:
            row = (await connection.execute(_GET, {"which": id})).one_or_none()
            if row is None:
                return None
            return _to_session(row), to_operator(row) if row.login is not None else None

        return await self._database.read(work)

    async def renew(self, session: Session) -> None:
        await self._changed(_RENEW, {"which": session.id, "until": session.ends_at})

    async def end(self, id: str) -> bool:
        return await self._changed(_END, {"which": id}) > 0

    async def end_all(self, *, login: str = "", key_id: str = "", keeps: str | None = None) -> int:
        given = {"of_login": login, "of_key_id": key_id, "keeps": keeps or ""}
        return await self._changed(_END_ALL, given)

    async def list(self, *, login: str = "", key_id: str = "") -> Sequence[Session]:
        those = _LIST.params(of_login=login, of_key_id=key_id)
        return await listed(self._database, those, _to_session)

    async def purge(self) -> int:
        return await forget_all(self._database, _purge_some)

    async def _changed(self, change: Update | Delete, given: Mapping[str, object]) -> int:
        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(change, given)).rowcount

        return await self._database.write(work)


async def _purge_some(connection: AsyncConnection) -> int:
    return (await connection.execute(_PURGE, {"limit": _PURGED_AT_ONCE})).rowcount


def _to_session(row: Row[Any]) -> Session:
    return Session(**{name: getattr(row, f"session_{name}") for name in _COLUMNS})
