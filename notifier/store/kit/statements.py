"""Changes of one statement, compiled once, as a driver takes them.

SQLAlchemy's way from a statement to its rows costs several times what the driver needs.
"""

from collections import namedtuple
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any, TypeAlias

from sqlalchemy import CompoundSelect, Connection, Dialect, Float, Insert, Row, Select, Update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

Parameters: TypeAlias = Mapping[str, object]
Query: TypeAlias = Select[Any] | CompoundSelect[Any] | Insert | Update
Rows: TypeAlias = Sequence[Any]
Steps: TypeAlias = Generator[tuple[Query, Parameters], Rows, Rows]
"""Statements with what each is given; is sent the rows of each, and returns those of a change."""

_Convert: TypeAlias = Callable[[Any], Any]


class Single:
    """A change that is one statement wherever the database can write it in one."""

    def __init__(self, statement: Query) -> None:
        self.statement = statement

    def in_steps(self, parameters: Parameters) -> Steps:
        """How a database makes the change that cannot do so in one statement."""
        return (yield self.statement, parameters)

    async def run(self, connection: AsyncConnection, parameters: Parameters) -> Sequence[Row[Any]]:
        """Make the change in a transaction of the caller's; returns the statement's rows."""
        if connection.dialect.name == "postgresql":
            return await connection.run_sync(_rows, self.statement, parameters)
        steps = self.in_steps(parameters)
        return await connection.run_sync(lambda held: taken(steps, partial(_rows, held)))


def taken(steps: Steps, rows: Callable[[Query, Parameters], Rows]) -> Rows:
    """Take the steps of a change, each for what `rows` returns of it; returns what it returns."""
    step = next(steps)
    while True:
        try:
            step = steps.send(rows(*step))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # the type of Steps


def _rows(connection: Connection, statement: Query, parameters: Parameters) -> Rows:
    result = connection.execute(statement, parameters)
    return result.all() if result.returns_rows else ()


class Compiled:
    """A statement in a database's words."""

    def __init__(self, statement: Query, dialect: Dialect) -> None:
        words = statement.compile(dialect=dialect)
        self.text = str(words)
        self._names = tuple(words.positiontup or ())
        self._given = dict(words.params)
        self._row, self._converting = _reading(statement, dialect)

    def arguments(self, parameters: Parameters) -> list[object]:
        """Return what the driver is to be given, in its order."""
        values = {**self._given, **parameters}
        return [values[name] for name in self._names]

    def rows(self, records: Iterable[Any]) -> Rows:
        """Return the driver's records as rows whose columns are attributes."""
        if not self._converting:
            return [self._row(record) for record in records]
        return [self._row(self._converted(record)) for record in records]

    def _converted(self, record: Iterable[Any]) -> Sequence[Any]:
        values = list(record)
        for place, convert in self._converting:
            values[place] = convert(values[place])
        return values


@cache
def compiled(statement: Query, dialect: type[Dialect]) -> Compiled:
    """Return a constant statement in the words of a database, and of its driver."""
    return Compiled(statement, dialect())


def _reading(statement: Query, dialect: Dialect) -> tuple[_Convert, Sequence[tuple[int, _Convert]]]:
    columns = list(statement.exported_columns)
    names = [column.name for column in columns]
    processors = [_processor(column.type, dialect) for column in columns]
    row = namedtuple("row", names)  # type: ignore[misc]  # noqa: PYI024  its columns are known only now
    return row._make, [(at, each) for at, each in enumerate(processors) if each]


def _processor(type_: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    # A driver's floats are floats; the dialect would ask of which kind.
    if isinstance(type_, Float):
        return None
    return type_.dialect_impl(dialect).result_processor(dialect, None)
