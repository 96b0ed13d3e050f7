"""Where a PostgreSQL server is, and how to talk to it: what libpq reads from a URL."""

import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

from notifier.errors import SettingsError
from notifier.urls import Place, port_number, split_place

_SCHEME = re.compile(r"postgres(ql)?(\+\w+)?://", re.IGNORECASE)
_EXPECTED = "expected postgresql://user:password@host/name"
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:\[\]\s]*)(:(?P<port>\d{1,5})?)?")
_SETTING = re.compile(r"(?:-c\s*|--)(?P<name>[\w.-]+)=(?P<value>(?:\\.|[^\s\\])*)\s*")

_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_SESSIONS = ("any", "primary", "standby", "read-write", "read-only", "prefer-standby")
_VERSIONS = {
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
_CHOICES = {
    "sslmode": _MODES,
    "sslnegotiation": ("postgres", "direct"),
    "ssl_min_protocol_version": tuple(_VERSIONS),
    "ssl_max_protocol_version": tuple(_VERSIONS),
}
# Read by the driver as libpq does.
_DRIVERS = {
    "sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslnegotiation",
    "ssl_min_protocol_version", "ssl_max_protocol_version", "passfile", "krbsrvname",
}  # fmt: skip
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_OURS = {
    "host", "port", "user", "password", "dbname", "connect_timeout", "options",
    "application_name", "fallback_application_name", "channel_binding", "target_session_attrs",
    "client_encoding", "ssl", "pgbouncer",
}  # fmt: skip
# They change nothing that notifier could do otherwise: its calls end after seconds in any case.
_WITHOUT_EFFECT = {
    "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
    "tcp_user_timeout", "gssencmode", "sslsni", "sslcompression", "sslcertmode",
    "load_balance_hosts", "prepared_statement_cache_size",
}  # fmt: skip

_KNOWN = _DRIVERS | _OURS | _WITHOUT_EFFECT


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresAddress:
    """What a `postgresql://` URL says.

    `tls` are libpq's parameters by their names. With `is_verified_by_system` the server's
    certificate must be of its host and of an authority that this machine trusts. `session` are
    settings of the server for each session. `is_pooled` tells of a pooler in between; one that
    is not told of is found.
    """

    hosts: Sequence[str]
    ports: Sequence[int]
    user: str | None
    password: str | None = field(repr=False)
    database: str
    tls: Mapping[str, str] = field(repr=False)
    is_verified_by_system: bool
    session: Mapping[str, str]
    startup_options: str | None
    connect_timeout_s: float | None
    target_session: str | None
    is_pooled: bool

    @property
    def unprotected_host(self) -> str | None:
        """A host that others may listen to on the way, if nobody said how to protect that."""
        if "sslmode" in self.tls or self.is_verified_by_system:
            return None
        return next((host for host in self.hosts if not _is_local(host)), None)

    def servers(self) -> Sequence[Mapping[str, Any]]:
        """The servers in the order in which to try them, as arguments of asyncpg.connect."""
        # Where no host is named, the driver knows the usual socket.
        hosts: Sequence[str | None] = self.hosts or [None]
        ports: Sequence[int | None] = self.ports or [None]
        is_choosy = self.target_session == "prefer-standby"
        return [
            {"host": host, "port": port, "target_session_attrs": kind}
            for kind in (("standby", "any") if is_choosy else (self.target_session,))
            for host, port in zip(hosts, ports, strict=True)
        ]

    def driver_arguments(self) -> dict[str, Any]:
        """Arguments of asyncpg.connect for any of them, without settings of the session.

        Raises:
            SettingsError: a certificate or its key cannot be read.
        """
        # To read all authorities of a machine takes longer than to connect.
        is_needed = self.is_verified_by_system or any(name in self.tls for name in _FILES)
        context = self._context() if is_needed else None
        return {
            "dsn": f"postgresql:///?{urlencode(self.tls, quote_via=quote)}" if self.tls else None,
            "ssl": context if self.is_verified_by_system else None,
            "user": self.user,
            "password": self.password,
            "database": self.database,
        }

    def _context(self) -> ssl.SSLContext:
        """What the driver makes of `tls` itself, but that it knows no authorities of a system."""
        authorities = self.tls.get("sslrootcert")
        try:
            context = ssl.create_default_context(
                cafile=None if authorities == "system" else authorities
            )
            if "sslcrl" in self.tls:
                context.load_verify_locations(self.tls["sslcrl"])
                context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
            if "sslcert" in self.tls:
                password = self.tls.get("sslpassword", "")
                context.load_cert_chain(self.tls["sslcert"], self.tls.get("sslkey"), password)
        except OSError as error:
            raise _wrong(f"its certificates cannot be used ({type(error).__name__})") from None
        if "ssl_min_protocol_version" in self.tls:
            context.minimum_version = _VERSIONS[self.tls["ssl_min_protocol_version"]]
        if "ssl_max_protocol_version" in self.tls:
            context.maximum_version = _VERSIONS[self.tls["ssl_max_protocol_version"]]
        context.set_alpn_protocols(["postgresql"])
        return context


def is_postgres(url: str) -> bool:
    """Whether this is meant as the URL of a PostgreSQL server."""
    return _SCHEME.match(url) is not None


def parse_address(url: str) -> PostgresAddress:
    """Read the URL of a PostgreSQL server as libpq does; a scheme may name any driver.

    Raises:
        SettingsError: it is wrong; the message names what is, and repeats no value.
    """
    scheme = _SCHEME.match(url)
    if scheme is None:
        raise _wrong(_EXPECTED)
    try:
        place = split_place(url[scheme.end() :], _KNOWN, "settings of the server go into options")
        return _address(place)
    except ValueError as error:
        raise _wrong(str(error)) from None


def _address(place: Place) -> PostgresAddress:
    parameters = place.parameters
    hosts, ports = _hosts(parameters.get("host") or place.hosts, parameters.get("port"))
    database = parameters.get("dbname") or unquote(place.path)
    if not database:
        raise ValueError(f"{_EXPECTED}; it names no database")
    session, startup_options = _session(parameters)
    tls, is_verified_by_system = _tls(parameters)
    return PostgresAddress(
        hosts=hosts,
        ports=ports,
        user=parameters.get("user") or place.user,
        password=parameters.get("password") or place.password,
        database=database,
        tls=tls,
        is_verified_by_system=is_verified_by_system,
        session=session,
        startup_options=startup_options,
        connect_timeout_s=_connect_timeout_s(parameters.get("connect_timeout")),
        target_session=_target_session(parameters.get("target_session_attrs"), len(hosts)),
        is_pooled=_is_true("pgbouncer", parameters.get("pgbouncer", "false")),
    )


def _wrong(problem: str) -> SettingsError:
    return SettingsError(f"NOTIFIER_DATABASE_URL: {problem}")


def _hosts(text: str, port_text: str | None) -> tuple[list[str], list[int]]:
    hosts: list[str] = []
    ports: list[int] = []
    given = [part for part in (port_text or "").split(",") if part]
    if not text:
        return [], [port_number(given[0])] if given else []
    for index, part in enumerate(text.split(",")):
        found = _HOST.fullmatch(unquote(part)) if not part.startswith("/") else None
        if found is None and not unquote(part).startswith("/"):
            raise ValueError(f"{_EXPECTED}; its host or port cannot be read")
        host = found["host"].strip("[]") if found else unquote(part)
        if not host:
            raise ValueError(f"{_EXPECTED}; it names no host")
        other = given[index] if index < len(given) else given[-1] if given else "5432"
        hosts.append(host)
        ports.append(port_number((found and found["port"]) or other))
    return hosts, ports


def _session(parameters: Mapping[str, str]) -> tuple[dict[str, str], str | None]:
    """The settings that `options` and others ask for, and what else is in `options`."""
    if parameters.get("client_encoding", "utf8").lower().replace("-", "") not in ("utf8", "auto"):
        raise ValueError("client_encoding: notifier speaks UTF-8 only")
    session = {}
    options = parameters.get("options", "").replace("+", " ").strip()
    while found := _SETTING.match(options):
        session[found["name"].replace("-", "_")] = re.sub(r"\\(.)", r"\1", found["value"])
        options = options[found.end() :]
    if options.startswith("-"):
        raise ValueError("options: expected settings as in -c search_path=notifier")
    name = parameters.get("application_name") or parameters.get("fallback_application_name")
    if name:
        session["application_name"] = name
    return session, options or None


def _tls(parameters: Mapping[str, str]) -> tuple[dict[str, str], bool]:
    """What libpq's parameters say about TLS; whether this machine's authorities judge."""
    tls = {name: value for name, value in parameters.items() if name in _DRIVERS}
    if "ssl" in parameters:
        tls.setdefault("sslmode", _mode_of_ssl(parameters["ssl"]))
    for name in _FILES:
        _check_file(name, tls.get(name))
    for name, choices in _CHOICES.items():
        _check_choice(name, tls.get(name, choices[0]), choices)
    if _needs_identity(tls, parameters.get("channel_binding", "prefer")):
        tls["sslmode"] = "verify-full"
    authorities = tls.get("sslrootcert")
    if tls.get("sslmode") == "verify-ca" and authorities is None:
        raise ValueError("sslmode=verify-ca needs sslrootcert; or use verify-full")
    return tls, tls.get("sslmode") == "verify-full" and authorities in (None, "system")


def _needs_identity(tls: Mapping[str, str], channel_binding: str) -> bool:
    """Whether the server has to prove who it is, by more than sslmode."""
    _check_choice("channel_binding", channel_binding, ("disable", "prefer", "require"))
    mode = tls.get("sslmode")
    if tls.get("sslrootcert") == "system" and mode not in (None, "verify-full"):
        raise ValueError("sslrootcert=system needs sslmode=verify-full")
    if channel_binding == "require" and mode == "disable":
        raise ValueError("channel_binding=require needs TLS, and sslmode=disable forbids it")
    # The driver does no channel binding. What it is for, that nobody stands in between, a verified
    # certificate gives as well.
    return channel_binding == "require" or tls.get("sslrootcert") == "system"


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}")


def _mode_of_ssl(value: str) -> str:
    if value in _MODES:
        return value
    return "require" if _is_true("ssl", value) else "disable"


def _check_file(name: str, path: str | None) -> None:
    if path is None or (name == "sslrootcert" and path == "system"):
        return
    try:
        with Path(path).open("rb"):
            pass
    except (OSError, ValueError) as error:
        raise ValueError(f"{name}: its file cannot be read ({type(error).__name__})") from None


def _connect_timeout_s(text: str | None) -> float | None:
    if text is None:
        return None
    if not re.fullmatch(r"-?\d{1,9}", text):
        raise ValueError("connect_timeout: expected whole seconds")
    return float(text) if int(text) > 0 else None


def _target_session(text: str | None, hosts: int) -> str | None:
    if text is not None:
        _check_choice("target_session_attrs", text, _SESSIONS)
    # One that cannot write is of no use.
    return text or ("read-write" if hosts > 1 else None)


def _is_true(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0", "yes", "no", "on", "off"):
        raise ValueError(f"{name}: expected true or false")
    return text.lower() in ("true", "1", "yes", "on")


def _is_local(host: str) -> bool:
    if host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
