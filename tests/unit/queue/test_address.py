from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.errors import SettingsError
from notifier.queue.rabbitmq.address import parse_broker
from notifier.queue.rabbitmq.management import Management

CANARY = "canary-493021"


def refusal(url: str) -> str:
    with pytest.raises(SettingsError) as caught:
        parse_broker(url)
    told = str(caught.value)
    assert CANARY not in told
    assert "\n" not in told
    assert told.startswith("NOTIFIER_BROKER_URL: ")
    return told


@pytest.mark.parametrize(
    ("path", "vhost"),
    [
        ("", "/"),
        ("/", "/"),
        ("//", "/"),
        ("/%2F", "/"),
        ("/%2f", "/"),
        ("/shop", "shop"),
        ("/shop/", "shop"),
        ("/a%2Fb", "a/b"),
        ("/caf%C3%A9", "café"),
        ("?heartbeat=30", "/"),
        ("/shop?heartbeat=30&connection_timeout=5", "shop"),
    ],
)
def test_a_vhost_is_read_however_it_is_written(path: str, vhost: str) -> None:
    address = parse_broker(f"amqp://ada:secret@broker{path}")

    assert address.vhost == vhost
    assert address.url(*address.endpoints).path[1:] == vhost
    assert Management.of(f"amqp://ada:secret@broker{path}", None).vhost == vhost


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("amqp://broker", "broker", 5672),
        ("amqp://broker:/", "broker", 5672),
        ("AMQP://broker:5673", "broker", 5673),
        ("amqps://broker", "broker", 5671),
        ("amqp://[::1]:5673/", "::1", 5673),
    ],
)
def test_a_host_and_its_port_are_read(url: str, host: str, port: int) -> None:
    address = parse_broker(url)

    [endpoint] = address.endpoints
    assert (endpoint.host, endpoint.port) == (host, port)
    assert (address.user, address.password) == ("guest", "guest")
    assert (address.url(endpoint).host, address.url(endpoint).port) == (host, port)


@pytest.mark.parametrize(
    "url",
    [
        "amqp://ada:a%2Cb@one,two:5673,[::1]/shop",
        "amqp://ada:a%2Cb@one/shop,amqp://ada:a%2Cb@two:5673/shop,amqp://ada:a%2Cb@[::1]/shop/",
        "amqp://ada:a,b@one,two:5673/shop, AMQP://ada:a%2Cb@[::1]/shop,",
    ],
)
def test_several_brokers_are_read_in_either_way(url: str) -> None:
    address = parse_broker(url)

    assert [str(each) for each in address.endpoints] == ["one:5672", "two:5673", "[::1]:5672"]
    assert (address.user, address.password, address.vhost) == ("ada", "a,b", "shop")
    assert list(Management.of(url, None).urls) == [
        f"http://{host}:15672" for host in ("one", "two", "[::1]")
    ]
    assert list(Management.of(url, "https://eve:x@manage/api/").urls) == ["https://manage:443/api"]


@pytest.mark.parametrize(
    "written",
    [
        "http://eve:a%2Cb@one:15672,two,[::1]:15672/api/",
        "http://eve:a,b@one:15672/api,http://two/api, HTTP://eve:a%2Cb@[::1]:15672/api,",
    ],
)
def test_several_management_apis_are_read_in_either_way(written: str) -> None:
    management = Management.of("amqp://ada:secret@broker", written)

    assert list(management.urls) == [
        "http://one:15672/api", "http://two:80/api", "http://[::1]:15672/api"
    ]  # fmt: skip
    assert (management.user, management.password) == ("eve", "a,b")


@pytest.mark.parametrize(
    ("written", "password"), [("p%40ss%2F%3F%23", "p@ss/?#"), ("p@ss", "p@ss"), ("50%", "50%")]
)
def test_a_password_is_the_same_for_every_client(written: str, password: str) -> None:
    url = f"amqp://ada:{written}@broker/"

    address = parse_broker(url)

    assert address.password == address.url(*address.endpoints).password == password
    assert Management.of(url, None).password == password
    assert Management.of(url, "http://eve:m%40n@other").password == "m@n"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "expected amqp://user:password@host/vhost"),
        (CANARY, "expected amqp://user:password@host/vhost"),
        ("amqp://", "expected amqp://user:password@host/vhost"),
        (f"http://ada:{CANARY}@broker", "expected amqp://user:password@host/vhost"),
        (f"amqp://ada:{CANARY}@broker:x/", "its port is no number"),
        (f"amqp://ada:{CANARY}@broker:70000/", "its port is no number"),
        (f"amqp://ada:{CANARY}@a,/", "expected amqp://user:password@host/vhost"),
        (f"amqp://ada:{CANARY}@a/v,b", "and all hosts before it"),
        (f"amqp://ada:{CANARY}@a,b:x/", "its port is no number"),
        (f"amqp://ada:{CANARY}@a,amqp://ada:b@a", "its brokers differ in more than host and port"),
        (f"amqp://{CANARY}@a,amqp://eve@b", "its brokers differ in more than host and port"),
        (f"amqp://a/{CANARY},amqp://b", "its brokers differ in more than host and port"),
        (f"amqp://{CANARY},amqps://b", "its brokers differ in more than host and port"),
        (f"amqps://{CANARY},amqps://b?verify=verify_none", "its brokers differ in more than host"),
        (f"amqp://{CANARY},http://b", "and all hosts before it"),
        (f"amqp://ada:{CANARY}@broker/a/b", "write %2F for / in the vhost"),
        (f"amqp://ada:{CANARY}/x@broker/", "write %40 for @, %2F for /"),
        (f"amqp://ada:{CANARY}#x@broker/", "write %40 for @, %2F for /"),
        (f"amqp://ada:{CANARY}?x@broker/", "write %40 for @, %2F for /"),
        (f"amqp://ada:{CANARY}@bro ker/", "it holds a space"),
        (f"amqps://ada:{CANARY}@broker/v&verify=verify_none", "its parameters begin with ?"),
        ("amqps://broker/?cafil=x", "there is no parameter 'cafil'; is cafile meant?"),
        ("amqps://broker/?x=y", "there is no parameter 'x'; see docs/connections.md"),
        ("amqps://broker/?cacertfile=/missing", "cacertfile: its file cannot be read (FileNotF"),
        ("amqps://broker/?verify=maybe", "verify: expected verify_peer or verify_none"),
        ("amqps://broker/?no_verify_ssl=2", "no_verify_ssl: expected 0 or 1"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(url: str, told: str) -> None:
    assert told in refusal(url)


@given(st.text(max_size=30))
def test_whatever_follows_is_read_or_refused_in_one_line(rest: str) -> None:
    told = ""
    try:
        parse_broker(f"amqp://ada:{CANARY}@{rest}")
    except SettingsError as error:
        told = str(error)
    assert CANARY not in told
    assert "\n" not in told


def test_certificates_that_are_none_are_told(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("x")

    with pytest.raises(SettingsError, match="its certificates cannot be used"):
        parse_broker(f"amqps://broker/?cafile={tmp_path / 'x.pem'}").tls()
