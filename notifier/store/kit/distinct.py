"""The values of a column, however many rows have each."""

from sqlalchemy import CTE, Column, select

from notifier.store.kit.sql import literal_text


def values_of(column: Column[str]) -> CTE:
    """Return the column's values as the one column of what is to be read, NULL at the end.

    From one to the next by an index that begins with it: how many rows each has costs nothing.
    """
    # True of all: for an index that is only there for those who ask for a value.
    every = column >= literal_text("")
    # Not min(): plans that were made when the table was small would read all of it for that.
    least = select(column).order_by(column).limit(1)
    lowest = least.where(every).scalar_subquery()
    first = select(lowest.label(column.name)).cte("seen", recursive=True)
    last = first.c[column.name]
    following = least.where(column > last).correlate(first).scalar_subquery()
    return first.union_all(select(following.label(column.name)).where(last.is_not(None)))
