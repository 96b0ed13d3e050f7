"""Statements compiled once in a process, however many databases its tests open.

An engine keeps what it compiled, as notifier's do for as long as they run. A test's engine lives as
long as the test, most of which would go into compiling what those before it had compiled.
"""

from collections.abc import Hashable
from typing import Any, TypeAlias

from sqlalchemy import Connection, Dialect, Engine, event

_Key: TypeAlias = tuple[Dialect, *tuple[Hashable, ...]]


class _Compiled(dict[_Key, Any]):
    """What engines of one kind compiled: their keys differ in the engine's dialect alone."""

    def get(self, key: _Key, default: Any = None) -> Any:
        return super().get(_of_its_kind(key), default)

    def __setitem__(self, key: _Key, compiled: Any) -> None:
        super().__setitem__(_of_its_kind(key), compiled)


def _of_its_kind(key: _Key) -> Any:
    dialect, *rest = key
    return (type(dialect), dialect.server_version_info, *rest)


def share_compiled_statements() -> None:
    """Let all engines of this process share what they compile."""
    compiled = _Compiled()

    @event.listens_for(Engine, "engine_connect")
    def share(connection: Connection) -> None:
        connection.execution_options(compiled_cache=compiled)
