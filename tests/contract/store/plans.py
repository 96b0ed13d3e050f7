"""How PostgreSQL goes about statements of the store."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.sql.compiler import SQLCompiler

from tests.contract.store.stores import Stores


@dataclass(frozen=True, slots=True)
class Case:
    """A statement and its parameters."""

    statement: ClauseElement
    parameters: dict[str, object]

    def named(self) -> tuple[str, str]:
        """What to PREPARE, and with which literals to EXECUTE it."""
        compiled = self.statement.compile(dialect=dialect())  # type: ignore[no-untyped-call]
        assert isinstance(compiled, SQLCompiler)
        known = {**compiled.params, **self.parameters}
        values = ", ".join(_literal(known[name]) for name in compiled.positiontup or ())
        return str(compiled), f"({values})" if values else ""


def _literal(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


@asynccontextmanager
async def session_of(stores: Stores) -> AsyncIterator[Any]:
    async with stores.database._writer.connect() as connection:  # noqa: SLF001
        yield (await connection.get_raw_connection()).driver_connection


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", []):
        yield from nodes(each)


def rows_read(node: dict[str, Any]) -> float:
    removed = sum(
        node.get(f"Rows Removed by {by}", 0) for by in ("Filter", "Join Filter", "Index Recheck")
    )
    return float(node["Actual Loops"] * (node["Actual Rows"] + removed))
