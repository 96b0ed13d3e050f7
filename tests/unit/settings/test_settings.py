import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from notifier.channels.email.sendgrid.provider import SENDGRID
from notifier.channels.email.smtp.provider import SMTP
from notifier.channels.registry import captured_channels, channel_settings
from notifier.channels.sms.twilio.provider import TWILIO
from notifier.composition.settings import read_settings
from notifier.errors import SettingsError
from notifier.mailbox import parse_mailbox
from notifier.notification.model import Channel
from notifier.settings.groups import BrokerSettings, DatabaseSettings, Settings

CANARY = "canary-493021"
NEEDED = {
    "NOTIFIER_DATABASE_URL": f"postgresql://notifier:{CANARY}@db/notifier",
    "NOTIFIER_BROKER_URL": f"amqp://notifier:{CANARY}@broker/",
    "NOTIFIER_KEY_PEPPER": f"{CANARY}-{CANARY}",
}
SECRETS = {
    **NEEDED,
    "NOTIFIER_BROKER_MANAGEMENT_URL": f"http://notifier:{CANARY}@broker:15672",
    "NOTIFIER_SMTP__PASSWORD": CANARY,
    "NOTIFIER_SMTP__OAUTH_CLIENT_SECRET": CANARY,
    "NOTIFIER_SMTP__OAUTH_REFRESH_TOKEN": CANARY,
    "NOTIFIER_SMTP__OAUTH_SERVICE_ACCOUNT": CANARY,
    "NOTIFIER_SENDGRID__API_KEY": CANARY,
    "NOTIFIER_TWILIO__AUTH_TOKEN": CANARY,
    "NOTIFIER_LINKS__KEYS": f"{CANARY}-{CANARY}, {CANARY}-of-yesterday",
}


def read(**more: str) -> Settings:
    return read_settings(NEEDED | {f"NOTIFIER_{name}": value for name, value in more.items()})


def refusal(environ: Mapping[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        read_settings(environ)
    shown = "".join(traceback.format_exception(caught.value))
    assert CANARY not in shown
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_needed_is_enough() -> None:
    settings = read_settings(NEEDED)

    assert settings.database_url.get_secret_value() == NEEDED["NOTIFIER_DATABASE_URL"]
    assert (settings.host, settings.port) == ("127.0.0.1", 8_000)


@pytest.mark.parametrize(
    "url", ["https://notify.example.com", "https://example.com/notify", "http://localhost:8000"]
)
def test_links_lead_where_the_internet_reaches_the_api(url: str) -> None:
    assert read(LINKS__BASE_URL=url).links.base_url == url


@pytest.mark.parametrize(
    "url",
    ["http://notify.example.com", "notify.example.com", "https://ada:secret@notify.example.com"],
)
def test_links_that_anybody_can_read_on_the_way_are_refused(url: str) -> None:
    assert "NOTIFIER_LINKS__BASE_URL: expected https://host" in refusal(
        NEEDED | {"NOTIFIER_LINKS__BASE_URL": url}
    )


def test_a_short_key_of_links_is_refused() -> None:
    assert "NOTIFIER_LINKS__KEYS: " in refusal(NEEDED | {"NOTIFIER_LINKS__KEYS": "short"})


def test_several_management_apis_are_those_of_one_cluster() -> None:
    both = "http://a:15672/api/, http://notifier:p,w@b:15672,"

    read_both = read(BROKER_MANAGEMENT_URL=both).broker_management_url

    assert read_both
    assert read_both.get_secret_value() == "http://a:15672/api,http://notifier:p,w@b:15672"
    apart = f"http://notifier:{CANARY}@a:15672,http://notifier:x@b:15672"
    for wrong, told in ((apart, "differ in user or password"), ("http://a,b:x", "expected http")):
        assert told in refusal(NEEDED | {"NOTIFIER_BROKER_MANAGEMENT_URL": wrong})


def test_groups_lists_numbers_and_switches_are_read() -> None:
    settings = read(
        SMTP__HOST="mail.example.org",
        SMTP__PORT="2525",
        EMAIL__PROVIDERS="sendgrid, smtp",
        SMS__RETRY_SCHEDULE_S="5,10.5",
        DECLARE_TOPOLOGY="false",
        SMTP__CA_PATH="/etc/ca.pem",
    )

    assert (SMTP.own(settings).host, SMTP.own(settings).port) == ("mail.example.org", 2525)
    assert list(settings.email.providers) == ["sendgrid", "smtp"]
    assert list(settings.sms.retry_schedule_s) == [5, 10.5]
    assert not settings.declare_topology
    assert SMTP.own(settings).ca_path == Path("/etc/ca.pem")


def test_the_variables_of_others_and_of_tests_are_left_alone() -> None:
    others = {"PATH": "/bin", "SMTP__HOST": "x", "NOTIFIER_TEST_DATABASE_URL": "x"}

    assert read_settings(NEEDED | others) == read_settings(NEEDED)


def test_an_empty_variable_is_not_set() -> None:
    assert read(SMTP__USERNAME="", SMTP__PORT=" ", HOST='""') == read_settings(NEEDED)


# --- as platforms and people have them -----------------------------------------------------


def injected(service: str, port: int, protocol: str = "tcp") -> dict[str, str]:
    """What Kubernetes sets in each pod for a Service, and Docker for a link to a container."""
    name = service.upper().replace("-", "_")
    one = f"{name}_PORT_{port}_{protocol.upper()}"
    return {
        f"{name}_SERVICE_HOST": "10.0.0.1",
        f"{name}_SERVICE_PORT": str(port),
        f"{name}_SERVICE_PORT_HTTP_ALT": str(port),
        f"{name}_PORT": f"{protocol}://10.0.0.1:{port}",
        one: f"{protocol}://10.0.0.1:{port}",
        f"{one}_PROTO": protocol,
        f"{one}_PORT": str(port),
        f"{one}_ADDR": "fd00::1",
        f"{name}_NAME": f"/web/{service}",
        f"{name}_ENV_NOTIFIER_KEY_PEPPER": "x",
    }


@pytest.mark.parametrize(
    "service", ["notifier", "notifier-api", "notifier-worker", "notifier-smtp", "notifier-2"]
)
def test_what_a_platform_tells_of_a_service_is_left_alone(service: str) -> None:
    environ = NEEDED | injected(service, 8_000) | injected(service, 53, "udp")

    assert read_settings(environ) == read_settings(NEEDED)
    assert DatabaseSettings.from_env(environ) == DatabaseSettings.from_env(NEEDED)


def test_only_what_has_an_injected_form_and_value_is_left_alone() -> None:
    for name, value in [("SMTP_PORT", "587"), ("SMTP__PORT", "tcp://10.0.0.1:1"), ("PORT", "a/b")]:
        assert refusal(NEEDED | {f"NOTIFIER_{name}": value}).startswith(f"NOTIFIER_{name}: ")


@pytest.mark.parametrize(
    "around", ["{}", " {} ", "{}\r", "{}\r\n", "\ufeff{}", '"{}"', "'{}'", "' {} '\r", '\ufeff"{}"']
)
def test_what_surrounds_a_value_in_an_env_file_is_left_out(around: str, tmp_path: Path) -> None:
    value = f"{CANARY}-{CANARY}"
    (tmp_path / "pepper").write_text(around.format(value), encoding="utf-8")
    rest = {name: value for name, value in NEEDED.items() if name != "NOTIFIER_KEY_PEPPER"}
    path = around.format(tmp_path / "pepper")

    by_itself = read_settings(rest | {"NOTIFIER_KEY_PEPPER": around.format(value)})
    by_file = read_settings(rest | {"NOTIFIER_KEY_PEPPER_FILE": path})

    assert by_itself == by_file == read_settings(NEEDED)


def test_quotation_marks_that_belong_to_a_value_stay() -> None:
    for value in ['"a" and "b"', '"', "it's", "'a\" "]:
        password = SMTP.own(read(SMTP__PASSWORD=value)).password
        assert password is not None
        assert password.get_secret_value() == value.strip()


@pytest.mark.parametrize("prefix", ["export ", "\ufeff", " "])
def test_a_name_is_read_as_env_files_write_it(prefix: str) -> None:
    assert read_settings(NEEDED | {f"{prefix}NOTIFIER_PORT": "9000"}).port == 9_000


def test_words_are_read_in_any_case() -> None:
    settings = read(
        LOG_LEVEL="info", LOG_FORMAT="Console", SMTP__SECURITY="TLS", EMAIL__ON_UNKNOWN="Hold",
        EMAIL__PROVIDERS="SMTP, SendGrid,", METRICS="Yes", SANDBOX_PAGE="ON",
    )  # fmt: skip

    assert (settings.log_level, settings.log_format) == ("INFO", "console")
    assert (SMTP.own(settings).security, settings.email.on_unknown) == ("tls", "hold")
    assert settings.email.providers == ("smtp", "sendgrid")
    assert settings.metrics
    assert settings.sandbox_page


def test_the_words_of_other_programs_are_understood() -> None:
    settings = read(LOG_LEVEL="Warn", LOG_FORMAT="text", SMTP__SECURITY="SSL")

    assert (settings.log_level, settings.log_format) == ("WARNING", "console")
    assert SMTP.own(settings).security == "tls"


def test_a_list_is_read_as_json_too() -> None:
    settings = read(EMAIL__PROVIDERS='["smtp", "sendgrid"]', SMS__RETRY_SCHEDULE_S="[5, 1m]")

    assert settings.email.providers == ("smtp", "sendgrid")
    assert settings.sms.retry_schedule_s == (5, 60)


@pytest.mark.parametrize(
    ("given", "seconds"), [("500ms", 0.5), ("30s", 30), ("5m", 300), ("2 h", 7_200), ("1D", 86_400)]
)
def test_a_duration_may_have_a_unit(given: str, seconds: float) -> None:
    assert read(EMAIL__SNOOZE_S=given).email.snooze_s == seconds


def test_the_slash_at_the_end_of_a_url_does_not_matter() -> None:
    settings = read(SENDGRID__BASE_URL="https://mail.example/api/", SMTP__HOST="[::1]")

    assert SENDGRID.own(settings).base_url == "https://mail.example/api"
    assert SMTP.own(settings).host == "::1"


def test_a_comment_after_a_value_is_told() -> None:
    told = refusal(NEEDED | {"NOTIFIER_PORT": "8000 # the API"})

    assert told.endswith("; an env file's comment needs a line of its own")


@pytest.mark.parametrize(
    "sender",
    [
        "shop@example.com",
        '"Shop" <shop@example.com>',
        "'\"Shop\" <shop@example.com>'",
        '"Shop \\"The Best\\" <shop@example.com>"',
        "Shop, Inc. <shop@example.com>",
    ],
)
def test_a_sender_is_read_at_the_start(sender: str) -> None:
    assert parse_mailbox(read(EMAIL__SENDER=sender).email.sender).address == "shop@example.com"


@pytest.mark.parametrize("name", NEEDED)
def test_what_is_missing_or_empty_is_named(name: str) -> None:
    rest = {other: value for other, value in NEEDED.items() if other != name}

    for environ in (rest, NEEDED | {name: ""}):
        assert refusal(environ) == f"{name}: is not set; see docs/settings.md"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEY_PEPPER", CANARY),
        ("PORT", "-1"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("PORT", "8000.5"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
        ("DECLARE_TOPOLOGY", "perhaps"),
        ("EMAIL__CONSUMERS", "0"),
        ("EMAIL__CONSUMERS", "1001"),
        ("EMAIL__MAX_ATTEMPTS", "0"),
        ("EMAIL__PROVIDERS", "smtp,,sendgrid"),
        ("EMAIL__PROVIDERS", ",,"),
        ("EMAIL__SENDER", "shop"),
        ("EMAIL__SENDER", "Shop <a@example.com>, b@example.com"),
        ("EMAIL__SENDER", 'Shop 15" <a@example.com>'),
        ("SMTP__HOST", "smtp://mail.example.com"),
        ("SMTP__HOST", "mail.example.com:587"),
        ("SMTP__HOST", "mail.example.com # ours"),
        ("SENDGRID__BASE_URL", "api.sendgrid.com"),
        ("TWILIO__BASE_URL", "https://api.twilio.com?x=1"),
        ("TWILIO__SENDER", "My Brand with 15"),
        ("TWILIO__SENDER", "whatsapp:+14155238886"),
        ("TWILIO__BASE_URL", "https://[api"),
        ("EMAIL__RETRY_SCHEDULE_S", ","),
        ("EMAIL__RETRY_SCHEDULE_S", "10,soon"),
        ("EMAIL__RETRY_SCHEDULE_S", "10,0"),
        ("EMAIL__RETRY_SCHEDULE_S", "10,inf"),
        ("EMAIL__RETRY_SCHEDULE_S", "1e300"),
        ("EMAIL__SNOOZE_S", "nan"),
        ("EMAIL__SNOOZE_S", "inf"),
        ("EMAIL__SNOOZE_S", "-1"),
        ("EMAIL__ON_UNKNOWN", "guess"),
        ("SMTP__SECURITY", "maybe"),
        ("SMTP__PORT", "0"),
        ("SMTP__TIMEOUT_S", "0"),
        ("WORKER__PROCESSES", "0"),
        ("WORKER__PROCESSES", "65"),
        ("WORKER__LEASE_S", "14"),
        ("WORKER__LEASE_S", "inf"),
        ("WORKER__HUNG_AFTER_S", "9"),
        ("RELAY__DUE_EVERY_S", "0"),
        ("API__RATE_LIMIT", "0"),
        ("API__MAX_BODY_BYTES", "1"),
    ],
)
def test_a_wrong_value_is_refused_by_its_variable(name: str, value: str) -> None:
    told = refusal(NEEDED | {f"NOTIFIER_{name}": value})

    assert told.startswith(f"NOTIFIER_{name}: ")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("NOTIFIER_SMTP__HSOT", "is NOTIFIER_SMTP__HOST meant?"),
        ("NOTIFIER_SMTP_HOST", "is NOTIFIER_SMTP__HOST meant?"),
        ("NOTIFIER_HOST__X", "is NOTIFIER_HOST meant?"),
        ("NOTIFIER_API__PORT", "is NOTIFIER_PORT meant?"),
        ("NOTIFIER_SMPT__PORT", "is NOTIFIER_SMTP__PORT meant?"),
        ("NOTIFIER_WORKER__BROADCASTS_AHEAD", "is NOTIFIER_RELAY__BROADCASTS_AHEAD meant?"),
        ("NOTIFIER_EMAIL", "see docs/settings.md"),
        ("NOTIFIER_SMTP__HOST__X", "is NOTIFIER_SMTP__HOST meant?"),
        ("NOTIFIER_SMTP__", "is NOTIFIER_SMTP__PORT meant?"),
        ("NOTIFIER_", "see docs/settings.md"),
        ("NOTIFIER_smtp__host", "is NOTIFIER_SMTP__HOST meant?"),
        ("NOTIFIER_SMTP_PORT", "is NOTIFIER_SMTP__PORT meant?"),
        ("NOTIFIER_NAME", "see docs/settings.md"),
        ("NOTIFIER_NONSENSE_FILE", "see docs/settings.md"),
    ],
)
def test_a_variable_that_does_not_exist_is_refused_by_its_name(name: str, meant: str) -> None:
    told = refusal(NEEDED | {name: CANARY})

    assert told == f"{name}: there is no such setting; {meant}"


def test_a_lease_that_ends_with_a_providers_time_is_refused_by_both_names() -> None:
    used = NEEDED | {"NOTIFIER_EMAIL__PROVIDERS": "sendgrid,smtp"}
    told = refusal(used | {"NOTIFIER_SMTP__TIMEOUT_S": "51"})

    assert told.startswith("NOTIFIER_WORKER__LEASE_S: ")
    assert "NOTIFIER_SMTP__TIMEOUT_S" in told
    enough = read_settings(used | {"NOTIFIER_SMTP__TIMEOUT_S": "50"})
    assert SMTP.own(enough).timeout_s == 50


def test_a_provider_that_no_channel_names_has_no_say_in_leases() -> None:
    settings = read(EMAIL__PROVIDERS="sendgrid", WORKER__LEASE_S="25")

    assert SMTP.own(settings).timeout_s > settings.worker.lease_s - 10


def test_a_short_pepper_is_told_how_long_it_has_to_be() -> None:
    told = refusal(NEEDED | {"NOTIFIER_KEY_PEPPER": "a" * 15})

    assert told == "NOTIFIER_KEY_PEPPER: expected 16 characters or more"


def test_a_provider_that_is_named_twice_is_refused() -> None:
    settings = read_settings(NEEDED | {"NOTIFIER_EMAIL__PROVIDERS": "sandbox,SANDBOX"})

    with pytest.raises(SettingsError, match="NOTIFIER_EMAIL__PROVIDERS: name each provider once"):
        channel_settings(settings)


def test_nothing_leaves_where_the_sandbox_is_the_only_provider() -> None:
    providers = {
        "NOTIFIER_EMAIL__PROVIDERS": "sandbox",
        "NOTIFIER_SMS__PROVIDERS": "sandbox,twilio",
        "NOTIFIER_IN_APP__PROVIDERS": "none",
    }

    assert captured_channels(read_settings(NEEDED | providers)) == {Channel.EMAIL}


# --- files ----------------------------------------------------------------------------------


def with_file(path: Path, content: str) -> dict[str, str]:
    path.write_text(content, encoding="utf-8")
    rest = {name: value for name, value in NEEDED.items() if name != "NOTIFIER_KEY_PEPPER"}
    return rest | {"NOTIFIER_KEY_PEPPER_FILE": str(path)}


def test_any_setting_can_come_from_a_file(tmp_path: Path) -> None:
    environ = with_file(tmp_path / "pepper", f"{CANARY}-{CANARY}\n")

    assert read_settings(environ) == read_settings(NEEDED)


def test_a_setting_and_its_file_are_not_both_given(tmp_path: Path) -> None:
    environ = with_file(tmp_path / "pepper", CANARY) | NEEDED

    told = refusal(environ)

    assert told == "NOTIFIER_KEY_PEPPER_FILE: set it or NOTIFIER_KEY_PEPPER, not both"


def test_an_empty_file_is_refused_by_its_variable(tmp_path: Path) -> None:
    assert refusal(with_file(tmp_path / "pepper", " \n")) == (
        "NOTIFIER_KEY_PEPPER_FILE: its file is empty"
    )


@pytest.mark.parametrize("path", [CANARY, "/", f"nul\x00{CANARY}"])
def test_a_file_that_cannot_be_read_is_refused_without_its_path(path: str) -> None:
    rest = {name: value for name, value in NEEDED.items() if name != "NOTIFIER_KEY_PEPPER"}

    told = refusal(rest | {"NOTIFIER_KEY_PEPPER_FILE": path})

    assert told.startswith("NOTIFIER_KEY_PEPPER_FILE: cannot read its file (")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    environ = with_file(tmp_path / "pepper", "")
    (tmp_path / "pepper").write_bytes(b"\xff\xfe\x00")

    assert refusal(environ).startswith("NOTIFIER_KEY_PEPPER_FILE: cannot read its file (")


# --- parts, and secrets ---------------------------------------------------------------------


def test_a_command_reads_only_what_it_needs() -> None:
    others = {"NOTIFIER_KEY_PEPPER_FILE": "/missing", "NOTIFIER_SMTP__HSOT": "x"}

    database = DatabaseSettings.from_env(NEEDED | others)
    broker = BrokerSettings.from_env(NEEDED | others)

    assert database.database_url.get_secret_value() == NEEDED["NOTIFIER_DATABASE_URL"]
    assert broker.broker_url.get_secret_value() == NEEDED["NOTIFIER_BROKER_URL"]


def test_nothing_secret_is_shown() -> None:
    settings = read_settings(SECRETS)

    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert CANARY not in shown


_SECRET = ("password", "api_key", "token", "secret", "service_account", "pepper", "broker_url")


def test_every_setting_whose_name_tells_a_secret_is_one() -> None:
    settings = read_settings(SECRETS)
    groups = [settings, SMTP.own(settings), SENDGRID.own(settings), TWILIO.own(settings)]

    for group in groups:
        for name in type(group).model_fields:
            if name.endswith(_SECRET):
                assert isinstance(getattr(group, name), SecretStr)


@given(
    st.sampled_from(["PORT", "SMTP__PORT", "EMAIL__RETRY_SCHEDULE_S", "LOG_LEVEL", "KEY_PEPPER"]),
    # White space at its ends is no part of a value, and would make a pepper shorter than it looks.
    st.text(st.characters(exclude_categories=["Z", "C"]), max_size=12).map(
        lambda text: f"{text}{CANARY}"[:20]
    ),
)
def test_whatever_is_wrong_is_told_in_one_line_without_its_value(name: str, value: str) -> None:
    environ = NEEDED | {f"NOTIFIER_{name}": value}
    if name == "KEY_PEPPER" and len(value) >= 16:
        read_settings(environ)
    else:
        assert refusal(environ).startswith(f"NOTIFIER_{name}: ")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("https://app.example.com", ("https://app.example.com",)),
        ("https://App.Example.com:443,", ("https://app.example.com",)),
        ("http://localhost:3000, http://[::1]:80", ("http://localhost:3000", "http://[::1]")),
        ("https://app.example.com:8443", ("https://app.example.com:8443",)),
    ],
)
def test_origins_are_read_as_browsers_write_them(written: str, read: tuple[str, ...]) -> None:
    settings = read_settings({**NEEDED, "NOTIFIER_API__ALLOWED_ORIGINS": written})

    assert settings.api.allowed_origins == read


@pytest.mark.parametrize(
    "written",
    [
        "*",
        "https://*.example.com",
        "null",
        "app.example.com",
        "https://app.example.com/",
        "https://app.example.com/inbox",
        "https://user@app.example.com",
        "https://app.example.com?x",
        "https://app.example.com:0",
        "https://app.example.com:65536",
        "https://b\xfccher.example",
        "file://",
        "chrome-extension://abc",
        "https://a.example https://b.example",
    ],
)
def test_what_is_no_origin_is_refused_with_words(written: str) -> None:
    with pytest.raises(SettingsError, match=r"NOTIFIER_API__ALLOWED_ORIGINS: expected .*origin"):
        read_settings({**NEEDED, "NOTIFIER_API__ALLOWED_ORIGINS": written})
