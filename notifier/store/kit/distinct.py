"""The values of a column, however many rows have each."""

from sqlalchemy import CTE, Column, func, select

from notifier.store.kit.sql import literal_text


def values_of(column: Column[str]) -> CTE:
    """Return the column's values as the one column of what is to be read, NULL at the end.

    From one to the next by an index that begins with it: how many rows each has costs nothing.
    """
    # True of all: for an index that is only there for those who ask for a value.
    every = column >= literal_text("")
    first = select(func.min(column).label(column.name)).where(every).cte("seen", recursive=True)
    last = first.c[column.name]
    following = select(func.min(column)).where(column > last).correlate(first).scalar_subquery()
    return first.union_all(select(following.label(column.name)).where(last.is_not(None)))
