"""The tables of the directory."""

from sqlalchemy import Boolean, Column, Index, Table, Text, text

from notifier.store.kit.sql import JsonObject, UtcTime
from notifier.store.kit.tables import metadata

recipients = Table(
    "recipients",
    metadata,
    Column("service", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("locale", Text),
    Column("time_zone", Text),
    # NULL: none.
    Column("attributes", JsonObject),
    # JSON as text; NULL: none was made.
    Column("choices", Text),
    # JSON as text; NULL: those of the service.
    Column("quiet_hours", Text),
    Column("etag", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index(
        "ix_recipients_attributes",
        "attributes",
        postgresql_using="gin",
        postgresql_ops={"attributes": "jsonb_path_ops"},
        postgresql_where=text("attributes IS NOT NULL"),
        info={"only": "postgresql"},
    ).ddl_if(dialect="postgresql"),
)

recipient_addresses = Table(
    "recipient_addresses",
    metadata,
    Column("service", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    # As it is compared.
    Column("address", Text, primary_key=True),
    # Where that differs.
    Column("address_as_written", Text),
    Column("is_primary", Boolean, nullable=False),
    Column("verified_at", UtcTime),
    Index("ix_recipient_addresses_address", "service", "channel", "address"),
    Index(
        "uq_recipient_addresses_primary",
        "service",
        "user_id",
        "channel",
        unique=True,
        postgresql_where=text("is_primary"),
        sqlite_where=text("is_primary"),
    ),
)

recipient_aliases = Table(
    "recipient_aliases",
    metadata,
    Column("service", Text, primary_key=True),
    # An id that somebody had before a merge.
    Column("alias", Text, primary_key=True),
    # Whom it means now: never an alias itself.
    Column("user_id", Text, nullable=False),
    Index("ix_recipient_aliases_user_id", "service", "user_id"),
)
