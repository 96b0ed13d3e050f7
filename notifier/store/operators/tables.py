"""The tables of operators, of sessions, and of wrong passwords."""

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text

from notifier.store.kit.sql import UtcTime
from notifier.store.kit.tables import metadata

operators = Table(
    "operators",
    metadata,
    Column("login", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("sees_every_service", Boolean, nullable=False),
    # A hash by argon2; NULL: there is none.
    Column("password", Text),
    # An OpenID Connect issuer, a space, and who they are there.
    Column("subject", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("password_set_at", UtcTime),
    Column("disabled_at", UtcTime),
    Index("uq_operators_subject", "subject", unique=True),
)

console_sessions = Table(
    "console_sessions",
    metadata,
    # An HMAC of what the browser keeps.
    Column("id", Text, primary_key=True),
    # Empty: of an operator, or of a key.
    Column("key_id", Text, nullable=False),
    Column("login", Text, nullable=False),
    Column("began_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False),
    Column("source", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Index("ix_console_sessions_of", "login", "key_id"),
    Index("ix_console_sessions_ends_at", "ends_at"),
)

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    # An HMAC of what is counted.
    Column("name", Text, primary_key=True),
    Column("began_at", UtcTime, nullable=False),
    Column("failures", Integer, nullable=False),
    Index("ix_sign_in_failures_began_at", "began_at"),
)
