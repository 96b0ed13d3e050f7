"""Looking into texts that are JSON objects, where no index is needed."""

from typing import Any

from sqlalchemy import Boolean
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from notifier.store.kit.sql import arguments


class HasTrue(FunctionElement[bool]):
    """Whether a text, a JSON object, has a member of this name that is true: (text, name)."""

    type = Boolean()
    inherit_cache = True


class HasWithin(FunctionElement[bool]):
    """Whether a member of a member has one of this name, of a JSON text: (text, member, name).

    So does `{"parts": {"en": {"email": ...}}}` for `parts` and `email`, whatever is for `en`.
    """

    type = Boolean()
    inherit_cache = True


@compiles(HasTrue, "postgresql")
def _(element: HasTrue, compiler: SQLCompiler, **kw: Any) -> str:
    text, name = arguments(element, compiler, **kw)
    return f"(coalesce(CAST({text} AS JSONB) ->> {name}, '') = 'true')"


@compiles(HasTrue, "sqlite")
def _(element: HasTrue, compiler: SQLCompiler, **kw: Any) -> str:
    text, name = arguments(element, compiler, **kw)
    members = f"SELECT 1 FROM json_each({text})"  # noqa: S608  compiled SQL
    return f"EXISTS ({members} WHERE key = {name} AND type = 'true')"


@compiles(HasWithin, "postgresql")
def _(element: HasWithin, compiler: SQLCompiler, **kw: Any) -> str:
    text, member, name = arguments(element, compiler, **kw)
    members = f"SELECT 1 FROM jsonb_each(CAST({text} AS JSONB) -> {member}) AS within"  # noqa: S608
    return f"EXISTS ({members} WHERE jsonb_exists(within.value, {name}))"


@compiles(HasWithin, "sqlite")
def _(element: HasWithin, compiler: SQLCompiler, **kw: Any) -> str:
    text, member, name = arguments(element, compiler, **kw)
    members = f"SELECT 1 FROM json_each({text}, '$.' || {member}) AS within"  # noqa: S608
    return f"EXISTS ({members}, json_each(within.value) AS held WHERE held.key = {name})"
