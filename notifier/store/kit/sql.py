"""The few SQL constructs in which PostgreSQL and SQLite differ, and types that hide the rest.

Times are those of the database. In SQLite a time is UTC text of one fixed width, so that it sorts
and compares as a time; both databases read that text.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from sqlalchemy import (
    Boolean,
    ClauseElement,
    ColumnElement,
    Dialect,
    Executable,
    Float,
    Select,
    String,
    Subquery,
    Text,
    Uuid,
    bindparam,
    cast,
    column,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from notifier.notification.model import Channel

SqlType: TypeAlias = type[TypeEngine[Any]] | TypeEngine[Any]

_SQLITE_TIME = "'%Y-%m-%dT%H:%M:%fZ'"
_TIME_CHARS = len("2026-01-01T00:00:00.000Z")


def time_text(value: datetime) -> str:
    """Return an aware time as both databases read it, cut to milliseconds."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(String(_TIME_CHARS))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return time_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return datetime.fromisoformat(value) if isinstance(value, str) else value


class JsonObject(TypeDecorator[dict[str, str]]):
    """A JSON object that can be searched."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(JSONB())
        return dialect.type_descriptor(Text())

    def process_result_value(
        self,
        value: Any,
        dialect: Dialect,  # noqa: ARG002
    ) -> dict[str, str] | None:
        decoded: dict[str, str] | None = json.loads(value) if isinstance(value, str) else value
        return decoded


class Now(FunctionElement[datetime]):
    """The database's clock."""

    type = UtcTime()
    inherit_cache = True


class SecondsFromNow(FunctionElement[datetime]):
    """The database's clock, so many seconds later."""

    type = UtcTime()
    inherit_cache = True


class SecondsUntil(FunctionElement[float]):
    """Seconds from now until a time."""

    type = Float()
    inherit_cache = True


class ClockSeconds(FunctionElement[float]):
    """The database's clock while a statement runs, in seconds since 1970."""

    type = Float()
    inherit_cache = True


class Chance(FunctionElement[float]):
    """A random number in [0, 1), another one for each row."""

    type = Float()
    inherit_cache = True


class HasMember(FunctionElement[bool]):
    """Whether a JSON object has a member of this name and text: (object, name, text)."""

    type = Boolean()
    inherit_cache = True


class IsMember(FunctionElement[bool]):
    """As `HasMember`, and never looked up in an index: (object, name, text)."""

    type = Boolean()
    inherit_cache = True


class AsciiLower(FunctionElement[str]):
    """A text with its ASCII letters in lower case, whatever the database's locale."""

    type = Text()
    inherit_cache = True


class ComparedBy(FunctionElement[str]):
    """What a channel's recipient is compared by: a user id as it is, others without ASCII case."""

    type = Text()
    inherit_cache = True


class JsonElements(FunctionElement[Any]):
    """The elements of a JSON array, one row each."""

    inherit_cache = True


class _OneOf(FunctionElement[Any]):
    inherit_cache = True


def is_key(column: ColumnElement[Any], value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a column, the key of its table, is a value of another table's row.

    PostgreSQL then looks the key up for each of these rows, however small it takes the table for;
    joins that it plans for a small table are kept while that grows.
    """
    return column == _OneOf(value)


class ToldToSqlite(FunctionElement[bool]):
    """A condition that others imply, and that SQLite needs to find an index for these."""

    type = Boolean()
    inherit_cache = True


def arguments(element: FunctionElement[Any], compiler: SQLCompiler, **kw: Any) -> list[str]:
    """Return the SQL of what a function is given."""
    return [compiler.process(clause, **kw) for clause in element.clauses]


@compiles(Chance, "postgresql")
def _(_element: Chance, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "random()"


@compiles(Chance, "sqlite")
def _(_element: Chance, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "abs(random() / 9223372036854775808.0)"


@compiles(Now, "postgresql")
def _(_element: Now, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "now()"


@compiles(Now, "sqlite")
def _(_element: Now, _compiler: SQLCompiler, **_kw: Any) -> str:
    return f"strftime({_SQLITE_TIME}, 'now')"


@compiles(SecondsFromNow, "postgresql")
def _(element: SecondsFromNow, compiler: SQLCompiler, **kw: Any) -> str:
    (seconds,) = arguments(element, compiler, **kw)
    return f"(now() + make_interval(secs => {seconds}))"


@compiles(SecondsFromNow, "sqlite")
def _(element: SecondsFromNow, compiler: SQLCompiler, **kw: Any) -> str:
    (seconds,) = arguments(element, compiler, **kw)
    return f"strftime({_SQLITE_TIME}, 'now', printf('%+.3f seconds', {seconds}))"


@compiles(SecondsUntil, "postgresql")
def _(element: SecondsUntil, compiler: SQLCompiler, **kw: Any) -> str:
    (time,) = arguments(element, compiler, **kw)
    return f"CAST(extract(epoch FROM {time} - now()) AS FLOAT)"


@compiles(SecondsUntil, "sqlite")
def _(element: SecondsUntil, compiler: SQLCompiler, **kw: Any) -> str:
    (time,) = arguments(element, compiler, **kw)
    return f"((julianday({time}) - julianday('now')) * 86400.0)"


@compiles(ClockSeconds, "postgresql")
def _(_element: ClockSeconds, _compiler: SQLCompiler, **_kw: Any) -> str:
    # The transaction's now() would not count the time that it waited for a lock.
    return "CAST(extract(epoch FROM clock_timestamp()) AS FLOAT)"


@compiles(ClockSeconds, "sqlite")
def _(_element: ClockSeconds, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(AsciiLower, "postgresql")
def _(element: AsciiLower, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = arguments(element, compiler, **kw)
    return f'lower({value} COLLATE "C")'


@compiles(AsciiLower, "sqlite")
def _(element: AsciiLower, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = arguments(element, compiler, **kw)
    return f"lower({value})"


@compiles(ComparedBy, "postgresql")
def _(element: ComparedBy, compiler: SQLCompiler, **kw: Any) -> str:
    # To the line as PostgreSQL itself writes an index's expression: that is how Alembic compares.
    channel, recipient = arguments(element, compiler, **kw)
    is_user = f"{channel} = '{Channel.IN_APP}'::text"
    folded = f'lower({recipient} COLLATE "C")'
    return f"(\nCASE\n    WHEN {is_user} THEN {recipient}\n    ELSE {folded}\nEND)"


@compiles(ComparedBy, "sqlite")
def _(element: ComparedBy, compiler: SQLCompiler, **kw: Any) -> str:
    channel, recipient = arguments(element, compiler, **kw)
    is_user = f"{channel} = '{Channel.IN_APP}'"
    return f"(CASE WHEN {is_user} THEN {recipient} ELSE lower({recipient}) END)"


@compiles(_OneOf, "postgresql")
def _(element: _OneOf, compiler: SQLCompiler, **kw: Any) -> str:
    # A plain equality could also be had by reading the whole index in its order.
    (value,) = arguments(element, compiler, **kw)
    return f"ANY (ARRAY[{value}])"


@compiles(_OneOf, "sqlite")
def _(element: _OneOf, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = arguments(element, compiler, **kw)
    return value


@compiles(ToldToSqlite, "postgresql")
def _(_element: ToldToSqlite, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "true"


@compiles(ToldToSqlite, "sqlite")
def _(element: ToldToSqlite, compiler: SQLCompiler, **kw: Any) -> str:
    (condition,) = arguments(element, compiler, **kw)
    return condition


@compiles(HasMember, "postgresql")
def _(element: HasMember, compiler: SQLCompiler, **kw: Any) -> str:
    json_object, name, value = arguments(element, compiler, **kw)
    return f"({json_object} @> jsonb_build_object({name}, {value}))"


@compiles(IsMember, "postgresql")
def _(element: IsMember, compiler: SQLCompiler, **kw: Any) -> str:
    json_object, name, value = arguments(element, compiler, **kw)
    return f"(({json_object} ->> {name}) = {value})"


@compiles(IsMember, "sqlite")
@compiles(HasMember, "sqlite")
def _(element: FunctionElement[bool], compiler: SQLCompiler, **kw: Any) -> str:
    # The ->> of SQLite takes a name of digits for an index.
    json_object, name, value = arguments(element, compiler, **kw)
    members = f"SELECT 1 FROM json_each({json_object})"  # noqa: S608  compiled SQL
    return f"EXISTS ({members} WHERE key = {name} AND value = {value})"


@compiles(JsonElements, "postgresql")
def _(element: JsonElements, compiler: SQLCompiler, **kw: Any) -> str:
    (array,) = arguments(element, compiler, **kw)
    return f"jsonb_array_elements(CAST({array} AS JSONB))"


@compiles(JsonElements, "sqlite")
def _(element: JsonElements, compiler: SQLCompiler, **kw: Any) -> str:
    (array,) = arguments(element, compiler, **kw)
    return f"json_each({array})"


class Explained(Executable, ClauseElement):
    """How PostgreSQL would go about a query, as JSON."""

    inherit_cache = False

    def __init__(self, query: Select[Any]) -> None:
        self.query = query


@compiles(Explained)
def _(element: Explained, compiler: SQLCompiler, **kw: Any) -> str:
    return f"EXPLAIN (FORMAT JSON) {compiler.process(element.query, **kw)}"


def given_rows(name: str = "rows", /, **columns: SqlType) -> Subquery:
    """Rows that come as one JSON text, the parameter `name`.

    However many there are, the statement stays the same and is compiled and prepared once.
    """
    elements = JsonElements(bindparam(name, type_=Text())).table_valued(
        column("value"), name="element"
    )
    fields = [
        cast(elements.c.value.op("->>")(literal_column(f"'{field}'")), type_).label(field)
        for field, type_ in columns.items()
    ]
    return select(*fields).select_from(elements).subquery(f"given_{name}")


def literal_text(value: str) -> ColumnElement[str]:
    """Return a constant of ours, spelled out in the statement so that partial indexes apply."""
    return literal_column(f"'{value}'", Text())


def parameter(name: str, type_: SqlType = Text) -> ColumnElement[Any]:
    """Return a named parameter of a statement; no column of an updated table has its name."""
    return cast(bindparam(name, type_=type_), type_)


ID = Uuid()
"""The type of a notification's id."""

Row: TypeAlias = Mapping[str, object]
