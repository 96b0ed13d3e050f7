"""Who may be writing to a table."""

from typing import Any, Final

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType

UNNAMED: Final = "?"
"""Stands for writers that cannot be told apart: their number may grow without a new name."""

# A transaction holds this lock of a table from before its first row there draws an id until after
# its end is seen by all. A prepared one has lost its name. A standby does not know who writes.
_WRITERS = f"""ARRAY(
    SELECT CASE WHEN pid IS NULL THEN '{UNNAMED}' ELSE virtualtransaction END
    FROM pg_locks
    WHERE locktype = 'relation' AND granted AND mode = 'RowExclusiveLock'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND relation = CAST({{table}} AS regclass)
    UNION ALL SELECT '{UNNAMED}' WHERE pg_is_in_recovery()
)"""  # noqa: S608  a constant of ours


class WritersOf(FunctionElement[Any]):
    """The names of transactions that may have written to a table and have not ended: (name).

    Looked at after the statement's own view of the tables was taken: who had written a row before
    that and is not named here has ended since, and the next statement sees what it wrote. A list;
    NULL in SQLite, where rows are committed as they are written.
    """

    type = NullType()
    inherit_cache = True


@compiles(WritersOf, "postgresql")
def _(element: WritersOf, compiler: SQLCompiler, **kw: Any) -> str:
    return _WRITERS.format(table=compiler.process(element.clauses, **kw))


@compiles(WritersOf, "sqlite")
def _(_element: WritersOf, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "NULL"
