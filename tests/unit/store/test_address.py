import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.errors import SettingsError
from notifier.store.kit.address import parse_address
from notifier.store.kit.opening import parse_url, unprotected_host

CANARY = "canary-493021"


def refusal(url: str) -> str:
    with pytest.raises(SettingsError) as caught:
        parse_url(url)
    told = str(caught.value)
    assert CANARY not in told
    assert "\n" not in told
    assert told.startswith("NOTIFIER_DATABASE_URL: ")
    return told


@pytest.mark.parametrize(
    "scheme", ["postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg2", "POSTGRES"]
)
def test_any_scheme_of_postgresql_is_read(scheme: str) -> None:
    address = parse_address(f"{scheme}://ada:secret@db.example:5433/name")

    assert (address.hosts, address.ports) == (["db.example"], [5433])
    assert (address.user, address.password, address.database) == ("ada", "secret", "name")
    assert "secret" not in repr(address)


@pytest.mark.parametrize(
    ("url", "hosts", "ports"),
    [
        ("postgresql://db/name", ["db"], [5432]),
        ("postgresql://db:/name", ["db"], [5432]),
        ("postgresql://[::1]:5433/name", ["::1"], [5433]),
        ("postgresql://a:1,b:2/name", ["a", "b"], [1, 2]),
        ("postgresql://a,b/name?port=1,2", ["a", "b"], [1, 2]),
        ("postgresql:///name?host=a,b&port=7", ["a", "b"], [7, 7]),
        ("postgresql:///name?host=/var/run/postgresql", ["/var/run/postgresql"], [5432]),
        ("postgresql://%2Fvar%2Frun%2Fpostgresql/name", ["/var/run/postgresql"], [5432]),
        ("postgresql:///name", [], []),
        ("postgresql:///name?port=5433", [], [5433]),
    ],
)
def test_hosts_are_read_as_libpq_does(url: str, hosts: list[str], ports: list[int]) -> None:
    address = parse_address(url)

    assert (list(address.hosts), list(address.ports)) == (hosts, ports)


@pytest.mark.parametrize(
    ("written", "password"),
    [("p%40ss%2Fw%3F%23", "p@ss/w?#"), ("p@ss", "p@ss"), ("a:b", "a:b"), ("50%", "50%"), ("", "")],
)
def test_a_password_is_read_as_it_is_meant(written: str, password: str) -> None:
    assert parse_address(f"postgresql://ada:{written}@db/name").password == password


@pytest.mark.parametrize(
    "password",
    [
        f"{CANARY}/x",
        f"{CANARY}?x",
        f"{CANARY}#x",
        f"1/{CANARY}@x",
        f"a?b={CANARY}#",
        f"a@b?{CANARY}",
    ],
)
def test_a_password_that_has_to_be_escaped_is_told_how(password: str) -> None:
    assert "write %40 for @, %2F for /" in refusal(f"postgresql://ada:{password}@db/name")


def test_user_password_and_name_may_be_parameters() -> None:
    address = parse_address("postgresql://db?user=ada&password=a%26b&dbname=name")

    assert (address.user, address.password, address.database) == ("ada", "a&b", "name")


def test_what_hosts_hand_out_is_taken() -> None:
    for query in (
        "sslmode=require&channel_binding=require",
        "sslmode=require&connect_timeout=10&application_name=shop",
        "sslmode=prefer&target_session_attrs=read-write&keepalives=1&keepalives_idle=30",
        "pgbouncer=true&connect_timeout=15",
        "ssl=true",
        "ssl=require",
        "gssencmode=disable&client_encoding=UTF8",
        "sslmode=",
        "",
    ):
        parse_address(f"postgresql://ada:secret@db/name?{query}")


def test_options_become_settings_of_the_session() -> None:
    options = "-c search_path=a,b -cstatement_timeout=5s --lock-timeout=1s -c x.y=a\\ b"

    for written in (options.replace(" ", "%20"), options.replace(" ", "+"), options):
        session = parse_address(f"postgresql://db/name?options={written}").session
        assert session == {
            "search_path": "a,b",
            "statement_timeout": "5s",
            "lock_timeout": "1s",
            "x.y": "a b",
        }
    endpoint = parse_address("postgresql://db/name?options=endpoint%3Dep-1&application_name=shop")
    assert endpoint.startup_options == "endpoint=ep-1"
    assert endpoint.session == {"application_name": "shop"}


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("sslmod=require", "there is no parameter 'sslmod'; is sslmode meant?"),
        ("search_path=x", "there is no parameter 'search_path'; settings of the server go into"),
        ("sslmode=on", "sslmode: expected one of disable, allow, prefer, require, verify-ca"),
        ("sslmode=verify-ca", "sslmode=verify-ca needs sslrootcert"),
        ("sslrootcert=system&sslmode=require", "sslrootcert=system needs sslmode=verify-full"),
        ("sslrootcert=/missing", "sslrootcert: its file cannot be read (FileNotFoundError)"),
        ("sslcert=/", "sslcert: its file cannot be read (IsADirectoryError)"),
        ("channel_binding=x", "channel_binding: expected one of"),
        ("channel_binding=require&sslmode=disable", "channel_binding=require needs TLS"),
        ("ssl_min_protocol_version=TLSv9", "ssl_min_protocol_version: expected one of"),
        ("sslnegotiation=x", "sslnegotiation: expected one of postgres, direct"),
        ("connect_timeout=soon", "connect_timeout: expected whole seconds"),
        ("target_session_attrs=x", "target_session_attrs: expected one of"),
        ("options=-x", "options: expected settings as in -c search_path=notifier"),
        ("client_encoding=latin1", "client_encoding: notifier speaks UTF-8 only"),
        ("port=x", "its port is no number"),
        ("options=a\nb", "it holds a space, or a character that nobody can see"),
        ("pgbouncer=perhaps", "pgbouncer: expected true or false"),
        ("sslmode", "the parameter 'sslmode' has no value"),
    ],
)
def test_a_wrong_parameter_is_told_by_its_name(query: str, told: str) -> None:
    assert told in refusal(f"postgresql://ada:{CANARY}@db/name?{query}")


@pytest.mark.parametrize("place", ["db/name", "db", "db:5432/name", "/name"])
def test_parameters_without_a_question_mark_are_told(place: str) -> None:
    told = "its parameters begin with ?, and & is only between them"

    assert told in refusal(f"postgresql://ada:a&b=c@{place}&sslmode=require")
    assert told in refusal(f"postgresql://ada:a&b=c@{place}&sslmode=require?sslcert=x")
    assert parse_address("postgresql://db/a&b").database == "a&b"
    assert parse_address("postgresql://db/a%26b=c").database == "a&b=c"


@pytest.mark.parametrize(
    "url",
    [
        "",
        CANARY,
        "postgresql:",
        "postgresql://",
        "postgresql://db",
        "postgresql://db/",
        f"postgresql://ada:{CANARY}@/name?host=a b",
        f"postgresql://ada:{CANARY}@db:x/name",
        f"postgresql://ada:{CANARY}@db:99999/name",
        f"postgresql://ada:{CANARY}@a,,b/name",
        f"jdbc:postgresql://db/{CANARY}",
        f"mysql://ada:{CANARY}@db/name",
        "sqlite://",
        "sqlite:///",
        "sqlite:////",
        "sqlite:///:memory:",
        "sqlite:///name%00",
        "sqlite:///name?mode=ro",
        f"sqlite://ada:{CANARY}@host/name",
        f"host=db password={CANARY}",
    ],
)
def test_anything_else_is_refused(url: str) -> None:
    assert "expected postgresql://user:password@host/name" in refusal(url) or "port" in refusal(url)


@given(st.text(max_size=30))
def test_whatever_follows_is_read_or_refused_in_one_line(rest: str) -> None:
    told = ""
    try:
        parse_url(f"postgresql://ada:{CANARY}@{rest}")
    except SettingsError as error:
        told = str(error)
    assert CANARY not in told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("postgresql://db.example/name", "db.example"),
        ("postgresql://localhost,10.0.0.5/name", "10.0.0.5"),
        ("postgresql://db.example/name?sslmode=disable", None),
        ("postgresql://db.example/name?sslmode=require", None),
        ("postgresql://db.example/name?channel_binding=require", None),
        ("postgresql://localhost/name", None),
        ("postgresql://127.0.0.2/name", None),
        ("postgresql://[::1]/name", None),
        ("postgresql:///name?host=/var/run/postgresql", None),
        ("postgresql:///name", None),
        ("sqlite:///name", None),
    ],
)
def test_a_host_is_unprotected_where_nobody_said_otherwise(url: str, host: str | None) -> None:
    assert unprotected_host(url) == host


def test_a_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("x")
    for query in ("sslmode=verify-full&sslcert", "sslmode=require&sslcert", "sslrootcert"):
        url = f"postgresql://db/name?{query}={tmp_path / 'x.pem'}"
        with pytest.raises(SettingsError, match="its certificates cannot be used"):
            parse_address(url).driver_arguments()


def test_the_system_s_authorities_leave_the_rest_of_tls_as_it_is() -> None:
    query = "sslmode=verify-full&ssl_min_protocol_version=TLSv1.3&sslnegotiation=direct"

    arguments = parse_address(f"postgresql://db/name?{query}").driver_arguments()

    assert arguments["ssl"].verify_mode is ssl.CERT_REQUIRED
    assert arguments["ssl"].check_hostname
    assert arguments["ssl"].minimum_version is ssl.TLSVersion.TLSv1_3
    assert "sslnegotiation=direct" in arguments["dsn"]


def test_authorities_are_read_only_where_the_url_asks_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(**_named: object) -> ssl.SSLContext:
        raise OSError

    monkeypatch.setattr(ssl, "create_default_context", refuse)

    for query in ("", "?sslmode=prefer", "?sslmode=require&ssl_min_protocol_version=TLSv1.3"):
        assert parse_address(f"postgresql://db/name{query}").driver_arguments()["ssl"] is None
    with pytest.raises(SettingsError):
        parse_address("postgresql://db/name?sslmode=verify-full").driver_arguments()


def test_a_port_alone_is_one_for_every_place_that_is_looked_at() -> None:
    (server,) = parse_address("postgresql:///name?port=5433").servers()

    assert (server["host"], server["port"]) == (None, 5433)


def test_servers_are_tried_in_their_order_for_one_that_takes_writes() -> None:
    servers = parse_address("postgresql://b,a:5433/name").servers()

    assert [list(server.values()) for server in servers] == [
        ["b", 5432, "read-write"],
        ["a", 5433, "read-write"],
    ]


def test_whoever_prefers_a_standby_gets_one_before_another() -> None:
    url = "postgresql://b,a/name?target_session_attrs=prefer-standby"

    tried = [
        (server["host"], server["target_session_attrs"]) for server in parse_address(url).servers()
    ]

    assert tried == [("b", "standby"), ("a", "standby"), ("b", "any"), ("a", "any")]
