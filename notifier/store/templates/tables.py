"""The tables of templates, their drafts and their versions."""

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text, Uuid

from notifier.store.kit.sql import UtcTime
from notifier.store.kit.tables import metadata

templates = Table(
    "templates",
    metadata,
    Column("service", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    # The number of the version that is sent; NULL: none is.
    Column("published", Integer),
    Column("is_archived", Boolean, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)

template_drafts = Table(
    "template_drafts",
    metadata,
    Column("service", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("content", Text, nullable=False),
    Column("etag", Text, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)

template_versions = Table(
    "template_versions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("service", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("number", Integer, nullable=False),
    # As it is filled, and as it was written.
    Column("content", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("checksum", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index("uq_template_versions_number", "service", "name", "number", unique=True),
)

template_uses = Table(
    "template_uses",
    metadata,
    Column("service", Text, primary_key=True),
    # A partial's name, or what stands for the brand.
    Column("used", Text, primary_key=True),
    # What takes it in, as it is published.
    Column("template", Text, primary_key=True),
    Index("ix_template_uses_template", "service", "template"),
)
