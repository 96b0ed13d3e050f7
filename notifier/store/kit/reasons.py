"""Why a database is not available: its own words for it, which hold no value of ours."""

from collections.abc import Mapping
from types import MappingProxyType

SILENT = "the database did not answer in time"
NO_STANDBY = (
    "the database confirms no writes: commits wait for a synchronous standby, and none answers"
    " (see its synchronous_standby_names)"
)

_LOOK = "see NOTIFIER_DATABASE_URL"

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_SQLSTATES: Mapping[str, str] = MappingProxyType(
    {
        "08001": f"no connection could be made: {_LOOK}",
        "08003": "the connection was lost",
        "08004": f"it refuses the connection: {_LOOK}",
        "08P01": f"a pooler refuses the database, the role or one more connection: {_LOOK}",
        "25006": "it is read-only: a standby, or a role or database set so",
        "26000": "its session has lost its statements, as by a pooler in between",
        "28000": f"it lets this role not in (no such role, no LOGIN, or pg_hba.conf): {_LOOK}",
        "28P01": f"the password is wrong: {_LOOK}",
        "3D000": f"there is no such database: {_LOOK}",
        "42501": "the role lacks a right to what it has to read or write",
        "53000": "it lacks a resource",
        "53100": "its disk is full",
        "53200": "it is out of memory",
        "53300": "it has no connection left: see its max_connections",
        "55000": "it is not in a state to do this",
        "57014": "it gave up a statement that took too long",
        "57P01": "it is shutting down",
        "57P02": "it crashed and comes up again",
        "57P03": "it is starting up or shutting down",
        "58030": "it cannot read or write its files",
    }
)
# The errors of asyncpg among them are no import of a module that needs no driver.
_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "gaierror": "its host's name is not known",
        "ConnectionRefusedError": "nothing listens at its address",
        "FileNotFoundError": "there is no such socket",
        "SSLCertVerificationError": "its certificate is not trusted, or of another host",
        "SSLError": "no agreement on TLS",
        "ConnectionError": "it ended the connection",
        "ConnectionResetError": "it ended the connection",
        "TargetServerAttributeNotMatched": "no host takes writes, or is what "
        "target_session_attrs asks for",
    }
)
_NO_TLS = ("rejected SSL upgrade", "it offers no TLS, which sslmode asks for")
_SQLITE: Mapping[int, str] = MappingProxyType(
    {
        8: "it, or its folder, may not be written",
        10: "its disk fails to read or write",
        11: "it is damaged",
        13: "its disk is full",
        14: "it cannot be opened",
        26: "it is no database of SQLite",
    }
)


READ_ONLY = "25006"


def of_sqlstate(sqlstate: str) -> str:
    """Say what an error of PostgreSQL means."""
    meaning = _SQLSTATES.get(sqlstate)
    return (
        f"the database is not available: {meaning or 'an error of its own'} (SQLSTATE {sqlstate})"
    )


def of_sqlite(code: int) -> str:
    """Say what an error of SQLite means."""
    meaning = _SQLITE.get(code)
    return f"the database file cannot be used: {meaning or 'an error of its own'} (SQLite {code})"


def of_connecting(error: BaseException) -> str:
    """Say why there is no connection, where the database itself said nothing."""
    if isinstance(error, TimeoutError):
        return SILENT
    why = _NO_TLS[1] if _NO_TLS[0] in str(error) else _by_kind(type(error))
    return f"the database does not answer: {f'{why}: {_LOOK}' if why else type(error).__name__}"


def _by_kind(kind: type) -> str | None:
    return next((why for name, why in _KINDS.items() if name in _names(kind)), None)


def _names(kind: type) -> list[str]:
    """The names of an error's class and those that it stands for, but of its general ones."""
    return [each.__name__ for each in kind.__mro__ if each is kind or each is not ConnectionError]
