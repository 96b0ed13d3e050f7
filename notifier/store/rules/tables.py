"""The tables of rules and of their versions."""

from sqlalchemy import Column, Index, Integer, Table, Text, Uuid

from notifier.store.kit.sql import UtcTime
from notifier.store.kit.tables import metadata

rules = Table(
    "rules",
    metadata,
    Column("service", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    # The number of the version that is in force; NULL: none is.
    Column("published", Integer),
    # As it can be changed: JSON as text.
    Column("draft", Text, nullable=False),
    Column("etag", Text, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)

rule_versions = Table(
    "rule_versions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("service", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index("uq_rule_versions_number", "service", "name", "number", unique=True),
)
