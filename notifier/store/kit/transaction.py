"""What a statement sets for its transaction, of which it is part."""

from typing import Any

from sqlalchemy import Boolean
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class WithoutWaitingForDisk(FunctionElement[bool]):
    """True; the transaction then commits without waiting until it is on disk.

    For what may be lost with a crash of the server, and then is done once more.
    """

    type = Boolean()
    inherit_cache = True


class SortingDearly(FunctionElement[bool]):
    """True; the transaction's later statements are planned to sort only what no index has in order.

    For PostgreSQL, which sorts what it takes for a few rows.
    """

    type = Boolean()
    inherit_cache = True


class WithoutWaitingLong(FunctionElement[bool]):
    """True; the transaction then waits at most so many milliseconds for what another one holds.

    For PostgreSQL, where those waits are of rows.
    """

    type = Boolean()
    inherit_cache = True


@compiles(WithoutWaitingForDisk, "postgresql")
def _(_element: WithoutWaitingForDisk, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "(SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL"


@compiles(WithoutWaitingForDisk, "sqlite")
def _(_element: WithoutWaitingForDisk, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "1"


@compiles(SortingDearly, "postgresql")
def _(_element: SortingDearly, _compiler: SQLCompiler, **_kw: Any) -> str:
    settings = ("enable_sort", "enable_incremental_sort")
    return " AND ".join(f"(SELECT set_config('{each}', 'off', true)) = 'off'" for each in settings)


@compiles(SortingDearly, "sqlite")
def _(_element: SortingDearly, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "1"


@compiles(WithoutWaitingLong, "postgresql")
def _(element: WithoutWaitingLong, compiler: SQLCompiler, **kw: Any) -> str:
    (milliseconds,) = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(SELECT set_config('lock_timeout', {milliseconds}, true)) IS NOT NULL"
