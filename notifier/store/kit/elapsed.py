"""Times as seconds, in both databases."""

from typing import Any

from sqlalchemy import BigInteger, Float
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from notifier.store.kit.sql import arguments


class SecondsBetween(FunctionElement[float]):
    """Seconds from one time to another: (from, to)."""

    type = Float()
    inherit_cache = True


class UnixSeconds(FunctionElement[int]):
    """A time in whole seconds since 1970."""

    type = BigInteger()
    inherit_cache = True


@compiles(SecondsBetween, "postgresql")
def _(element: SecondsBetween, compiler: SQLCompiler, **kw: Any) -> str:
    first, last = arguments(element, compiler, **kw)
    return f"CAST(extract(epoch FROM {last} - {first}) AS FLOAT)"


@compiles(SecondsBetween, "sqlite")
def _(element: SecondsBetween, compiler: SQLCompiler, **kw: Any) -> str:
    first, last = arguments(element, compiler, **kw)
    return f"((julianday({last}) - julianday({first})) * 86400.0)"


@compiles(UnixSeconds, "postgresql")
def _(element: UnixSeconds, compiler: SQLCompiler, **kw: Any) -> str:
    (time,) = arguments(element, compiler, **kw)
    return f"CAST(floor(extract(epoch FROM {time})) AS BIGINT)"


@compiles(UnixSeconds, "sqlite")
def _(element: UnixSeconds, compiler: SQLCompiler, **kw: Any) -> str:
    (time,) = arguments(element, compiler, **kw)
    return f"CAST(strftime('%s', {time}) AS INTEGER)"
