"""JSON made and searched by a statement."""

from typing import Any

from sqlalchemy import Boolean, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class JsonRecord(FunctionElement[str]):
    """A JSON object: (name, value, name, value, ...)."""

    type = Text()
    inherit_cache = True


class JsonArray(FunctionElement[str]):
    """All rows of a group as one JSON array, as text: (record)."""

    type = Text()
    inherit_cache = True


class IncludesMember(FunctionElement[bool]):
    """Whether a JSON object has the one member of another: (object, the other one as text).

    Found by an index where there is one.
    """

    type = Boolean()
    inherit_cache = True


def _arguments(element: FunctionElement[Any], compiler: SQLCompiler, **kw: Any) -> list[str]:
    return [compiler.process(clause, **kw) for clause in element.clauses]


@compiles(JsonRecord, "postgresql")
def _(element: JsonRecord, compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_build_object({', '.join(_arguments(element, compiler, **kw))})"


@compiles(JsonRecord, "sqlite")
def _(element: JsonRecord, compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_object({', '.join(_arguments(element, compiler, **kw))})"


@compiles(JsonArray, "postgresql")
def _(element: JsonArray, compiler: SQLCompiler, **kw: Any) -> str:
    (record,) = _arguments(element, compiler, **kw)
    return f"CAST(json_agg({record}) AS TEXT)"


@compiles(JsonArray, "sqlite")
def _(element: JsonArray, compiler: SQLCompiler, **kw: Any) -> str:
    (record,) = _arguments(element, compiler, **kw)
    return f"json_group_array({record})"


@compiles(IncludesMember, "postgresql")
def _(element: IncludesMember, compiler: SQLCompiler, **kw: Any) -> str:
    json_object, other = _arguments(element, compiler, **kw)
    return f"({json_object} @> CAST({other} AS JSONB))"


_NUMBERS = "('integer', 'real')"


@compiles(IncludesMember, "sqlite")
def _(element: IncludesMember, compiler: SQLCompiler, **kw: Any) -> str:
    json_object, other = _arguments(element, compiler, **kw)
    is_alike = f"a.type = b.type OR (a.type IN {_NUMBERS} AND b.type IN {_NUMBERS})"
    is_same = f"a.key = b.key AND a.value IS b.value AND ({is_alike})"
    pairs = f"json_each({json_object}) AS a, json_each({other}) AS b"
    return f"EXISTS (SELECT 1 FROM {pairs} WHERE {is_same})"  # noqa: S608  compiled SQL
