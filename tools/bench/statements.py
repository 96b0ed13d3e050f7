"""What the database does, counted by pg_stat_statements."""

from dataclasses import dataclass

from tools.bench.place import Place

_TOTALS = """
    SELECT coalesce(sum(calls), 0)::float8, coalesce(sum(total_exec_time), 0)::float8,
           coalesce(max(mean_exec_time), 0)::float8
    FROM pg_stat_statements
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_SLOWEST = """
    SELECT total_exec_time AS ms, calls, left(regexp_replace(query, '\\s+', ' ', 'g'), 2000) AS text
    FROM pg_stat_statements
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    ORDER BY total_exec_time DESC LIMIT 12
"""


@dataclass(frozen=True, slots=True)
class Totals:
    """Of all statements since the counting began; `slowest_ms` is the highest mean of one."""

    calls: float
    total_ms: float
    slowest_ms: float


async def count_statements(place: Place) -> None:
    """Count the statements of the sessions that begin from now on."""
    async with place.connection() as connection:
        await connection.execute("CREATE EXTENSION pg_stat_statements")
        name = await connection.fetchval("SELECT quote_ident(current_database())")
        await connection.execute(f"ALTER DATABASE {name} SET pg_stat_statements.track = 'all'")


async def begin(place: Place) -> None:
    """Begin to count from nothing."""
    async with place.connection() as connection:
        await connection.execute("SELECT pg_stat_statements_reset()")


async def write_slowest(place: Place, name: str) -> None:
    """Write what took longest in all into the place's folder."""
    async with place.connection() as connection:
        rows = await connection.fetch(_SLOWEST)
    lines = [f"{row['ms']:>10.0f} ms {row['calls']:>8} calls  {row['text']}" for row in rows]
    (place.base.folder / f"{name}.txt").write_text("\n".join(lines) + "\n")


async def totals(place: Place) -> Totals:
    """What was counted since it began."""
    async with place.connection() as connection:
        row = await connection.fetchrow(_TOTALS)
        assert row is not None
        return Totals(*row)
