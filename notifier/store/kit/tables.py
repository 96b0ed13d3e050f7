"""What all tables stand in, for PostgreSQL and SQLite alike."""

from sqlalchemy import BigInteger, Index, Integer, MetaData, text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

Serial = BigInteger().with_variant(Integer(), "sqlite")


def partial_index(name: str, *columns: str, where: str) -> Index:
    """Return an index over the rows that `where`, SQL of both databases, picks."""
    return Index(name, *columns, postgresql_where=text(where), sqlite_where=text(where))
