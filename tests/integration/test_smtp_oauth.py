"""Mails to servers that want an access token, as the settings have it: Gmail, Microsoft 365."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from structlog.testing import capture_logs

from notifier.delivery.ports import ChannelAdapter
from notifier.errors import SettingsError
from notifier.notification.model import JsonValue
from notifier.notification.outcomes import Outcome, Sent, Systemic, Transient
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.messages import ManualClock, a_message
from tests.servers.scripted_smtp import SmtpServer, open_smtp
from tests.servers.token_endpoint import (
    CLIENT_ID,
    CLIENT_SECRET,
    REFRESH_TOKEN,
    Answer,
    Drop,
    Hold,
    TokenEndpoint,
    open_token_endpoint,
)
from tests.smtp_adapters import BY_CONSENT, smtp_adapter

BY_ITSELF = {
    "OAUTH_CLIENT_ID": CLIENT_ID,
    "OAUTH_CLIENT_SECRET": CLIENT_SECRET,
    "OAUTH_SCOPE": "https://outlook.office365.com/.default",
}
SECRETS = (CLIENT_SECRET, REFRESH_TOKEN, "BEGIN PRIVATE KEY", "token-1-")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def endpoint() -> AsyncIterator[TokenEndpoint]:
    async with open_token_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def server(certificates: Certificates, endpoint: TokenEndpoint) -> AsyncIterator[SmtpServer]:
    async with open_smtp(certificates.server_context()) as server:
        server.auth_methods = "LOGIN PLAIN XOAUTH2 PLAIN-CLIENTTOKEN OAUTHBEARER XOAUTH"
        server.accepts_token = endpoint.accepts
        yield server


class Setting:
    """An adapter between a mail server and a token endpoint, with a clock to be moved."""

    def __init__(
        self, server: SmtpServer, endpoint: TokenEndpoint, certificates: Certificates
    ) -> None:
        self.clock = ManualClock()
        self._reach = {
            "HOST": "localhost",
            "PORT": str(server.port),
            "CA_PATH": str(certificates.authority),
            "OAUTH_TOKEN_URL": endpoint.url,
            "TIMEOUT_S": "20",
        }

    @asynccontextmanager
    async def adapter(
        self, way: Mapping[str, str], **changes: str | None
    ) -> AsyncIterator[ChannelAdapter]:
        adapter = smtp_adapter(self.clock, {**self._reach, **way, **changes})
        try:
            yield adapter
        finally:
            await adapter.close()

    async def send(self, way: Mapping[str, str], **changes: str | None) -> Outcome:
        """One mail by an adapter of its own."""
        async with self.adapter(way, **changes) as adapter:
            return await adapter.send(a_message())

    def end_idle(self) -> None:
        """So that the next mail needs a connection of its own."""
        self.clock.advance(31)


@pytest.fixture
def setting(server: SmtpServer, endpoint: TokenEndpoint, certificates: Certificates) -> Setting:
    return Setting(server, endpoint, certificates)


@pytest.fixture
def endpoint_key() -> str:
    return TokenEndpoint().key_file()


def by_account(endpoint: TokenEndpoint) -> dict[str, str]:
    return {"OAUTH_SERVICE_ACCOUNT": endpoint.key_file()}


# --- the three ways -------------------------------------------------------------------------


async def test_a_mail_goes_out_with_a_token_that_a_refresh_token_gave(
    server: SmtpServer, endpoint: TokenEndpoint, setting: Setting
) -> None:
    assert isinstance(await setting.send(BY_CONSENT), Sent)

    assert endpoint.asked == [
        {
            "grant_type": "refresh_token",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": REFRESH_TOKEN,
        }
    ]
    verbs = [command.split()[0] for command in server.commands]
    assert verbs == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]


async def test_a_mail_goes_out_with_a_token_of_an_application_by_itself(
    endpoint: TokenEndpoint, setting: Setting
) -> None:
    assert isinstance(await setting.send(BY_ITSELF), Sent)

    assert endpoint.asked[0]["grant_type"] == "client_credentials"
    assert endpoint.asked[0]["scope"] == "https://outlook.office365.com/.default"


async def test_a_mail_goes_out_with_a_token_that_a_service_account_signed_for(
    endpoint: TokenEndpoint, setting: Setting
) -> None:
    assert isinstance(await setting.send(by_account(endpoint)), Sent)

    assertion = endpoint.asked[0]["assertion"]
    claims = jwt.decode(assertion, options={"verify_signature": False})
    now_s = setting.clock.now().timestamp()
    assert claims["scope"] == "https://mail.google.com/"
    assert claims["iat"] <= now_s < claims["exp"] <= claims["iat"] + 3_600
    assert jwt.get_unverified_header(assertion) == {"alg": "RS256", "typ": "JWT", "kid": "key-1"}


@pytest.mark.parametrize("methods", ["XOAUTH2", "OAUTHBEARER", "OAUTHBEARER XOAUTH2"])
@pytest.mark.parametrize("chars", [40, 3_000])
async def test_a_token_of_any_length_is_shown_as_the_server_wants_it(
    server: SmtpServer, endpoint: TokenEndpoint, setting: Setting, methods: str, chars: int
) -> None:
    # Gmail and Dovecot refuse a command with a long token in it: RFC 4954 has it wait its turn.
    server.auth_methods, endpoint.token_chars = methods, chars

    assert isinstance(await setting.send(BY_CONSENT), Sent)

    used = {command.split()[1] for command in server.commands if command.startswith("AUTH")}
    assert used == {"XOAUTH2" if "XOAUTH2" in methods else "OAUTHBEARER"}


async def test_a_method_that_the_server_only_claims_to_know_is_followed_by_the_other(
    server: SmtpServer, setting: Setting
) -> None:
    server.script("AUTH", "504 5.5.4 not that one")

    assert isinstance(await setting.send(BY_CONSENT), Sent)

    methods = [command.split()[1] for command in server.commands if command.startswith("AUTH")]
    assert methods == ["XOAUTH2", "OAUTHBEARER"]


async def test_a_mailbox_whose_name_has_commas_is_the_same_one(
    server: SmtpServer, endpoint: TokenEndpoint, setting: Setting
) -> None:
    server.auth_methods = "OAUTHBEARER"
    endpoint.mailbox = "a=b,c@shop.example"

    assert isinstance(await setting.send(BY_CONSENT, USERNAME="a=b,c@shop.example"), Sent)


async def test_a_server_that_takes_no_tokens_gets_no_password_tried(
    server: SmtpServer, setting: Setting
) -> None:
    server.auth_methods = "PLAIN LOGIN"

    outcome = await setting.send(BY_CONSENT)

    assert isinstance(outcome, Systemic)
    assert outcome.code == "auth_missing"
    assert "XOAUTH2" in outcome.message
    assert "NOTIFIER_SMTP__PASSWORD instead" in outcome.message


async def test_the_endpoint_is_believed_by_its_certificate_alone(
    server: SmtpServer, certificates: Certificates, setting: Setting
) -> None:
    async with open_token_endpoint(certificates.server_context()) as safe:
        server.accepts_token = safe.accepts
        url, known = safe.url, str(certificates.authority)
        refused = await setting.send(BY_CONSENT, OAUTH_TOKEN_URL=url)
        assert safe.asked == []
        taken = await setting.send(BY_CONSENT, OAUTH_TOKEN_URL=url, OAUTH_CA_PATH=known)

    assert isinstance(refused, Systemic)
    assert refused.code == "oauth_tls"
    assert "NOTIFIER_SMTP__OAUTH_CA_PATH" in refused.message
    assert isinstance(taken, Sent)


# --- renewal --------------------------------------------------------------------------------


async def test_many_connections_share_one_token(
    server: SmtpServer, endpoint: TokenEndpoint, setting: Setting
) -> None:
    async with setting.adapter(BY_CONSENT) as adapter:
        outcomes = await asyncio.gather(*(adapter.send(a_message()) for _ in range(20)))

    assert all(isinstance(outcome, Sent) for outcome in outcomes)
    assert server.sessions > 1
    assert len(endpoint.asked) == 1


async def test_a_token_that_the_server_no_longer_takes_is_renewed_and_the_mail_goes_out_once(
    server: SmtpServer, endpoint: TokenEndpoint, setting: Setting
) -> None:
    async with setting.adapter(BY_CONSENT) as adapter:
        assert isinstance(await adapter.send(a_message()), Sent)
        setting.end_idle()
        endpoint.good.clear()
        assert isinstance(await adapter.send(a_message()), Sent)

    assert len(endpoint.asked) == 2
    assert len(server.mails) == 2


async def test_a_fresh_token_that_is_refused_is_judged_and_says_what_to_look_at(
    server: SmtpServer, endpoint: TokenEndpoint, setting: Setting
) -> None:
    server.accepts_token = lambda _user, _token: False

    outcome = await setting.send(BY_CONSENT)

    assert isinstance(outcome, Systemic)
    assert not outcome.concerns_recipient
    assert outcome.code == "535 5.7.8"
    assert "NOTIFIER_SMTP__USERNAME" in outcome.message
    assert len(endpoint.asked) == 2


async def test_a_login_that_fails_for_now_renews_nothing(
    server: SmtpServer, endpoint: TokenEndpoint, setting: Setting
) -> None:
    server.script("AUTH", "454 4.7.0 Temporary authentication failure")

    assert isinstance(await setting.send(BY_CONSENT), Transient)
    assert len(endpoint.asked) == 1


async def test_open_connections_stay_when_no_token_is_to_be_had(
    endpoint: TokenEndpoint, setting: Setting
) -> None:
    async with setting.adapter(BY_CONSENT, MAX_CONNECTIONS="1") as adapter:
        assert isinstance(await adapter.send(a_message()), Sent)
        endpoint.refresh_tokens.clear()
        endpoint.good.clear()
        assert isinstance(await adapter.send(a_message()), Sent)


@pytest.mark.parametrize("pipelines", [True, False])
async def test_a_kept_connection_whose_login_ended_with_its_token_is_replaced_at_once(
    server: SmtpServer, setting: Setting, *, pipelines: bool
) -> None:
    if not pipelines:
        server.extensions.remove("PIPELINING")
    async with setting.adapter(BY_CONSENT, MAX_CONNECTIONS="1") as adapter:
        assert isinstance(await adapter.send(a_message()), Sent)
        server.script("MAIL", "530 5.7.57 Client not authenticated to send mail")
        assert isinstance(await adapter.send(a_message()), Sent)
        assert isinstance(await adapter.send(a_message()), Sent)

    assert len(server.mails) == 3
    assert server.sessions == 2


async def test_a_login_that_a_server_never_remembers_is_judged(
    server: SmtpServer, setting: Setting
) -> None:
    server.script("MAIL", *["530 5.7.57 Client not authenticated to send mail"] * 4)

    async with setting.adapter(BY_CONSENT) as adapter:
        outcomes = [await adapter.send(a_message()) for _ in range(4)]

    assert all(isinstance(outcome, Systemic) for outcome in outcomes)
    assert server.sessions == 4


async def test_a_refresh_token_that_is_replaced_is_followed(
    endpoint: TokenEndpoint, setting: Setting
) -> None:
    endpoint.rotates = True

    async with setting.adapter(BY_CONSENT) as adapter:
        for _ in range(3):
            assert isinstance(await adapter.send(a_message()), Sent)
            setting.clock.advance(4_000)

    used = [form["refresh_token"] for form in endpoint.asked]
    assert used == [REFRESH_TOKEN, "rotated-1", "rotated-2"]


# --- no token -------------------------------------------------------------------------------


def refusal(error: str, words: str = "", status: int = 400) -> Answer:
    body: JsonValue = {"error": error, "error_description": words}
    return Answer(status, body)


@pytest.mark.parametrize(
    ("way", "step", "code", "told"),
    [
        (
            "consent",
            refusal("invalid_grant", "Token has been expired or revoked."),
            "oauth_invalid_grant",
            "OAUTH_REFRESH_TOKEN",
        ),
        (
            "consent",
            refusal("invalid_grant", "AADSTS700082: The refresh token has expired. Trace ID: x"),
            "oauth_invalid_grant AADSTS700082",
            "OAUTH_REFRESH_TOKEN",
        ),
        (
            "itself",
            refusal("invalid_client", "AADSTS7000222: The provided client secret keys", 401),
            "oauth_invalid_client AADSTS7000222",
            "secret has expired: make a new one .* NOTIFIER_SMTP__OAUTH_CLIENT_SECRET",
        ),
        (
            "itself",
            refusal("invalid_client", "AADSTS7000215: Invalid client secret provided.", 401),
            "oauth_invalid_client AADSTS7000215",
            "not to its ID",
        ),
        (
            "itself",
            refusal("unauthorized_client", "AADSTS700016: Application not found"),
            "oauth_unauthorized_client AADSTS700016",
            "OAUTH_CLIENT_ID and NOTIFIER_SMTP__OAUTH_TENANT",
        ),
        (
            "account",
            refusal("unauthorized_client", "Client is unauthorized to retrieve access tokens", 401),
            "oauth_unauthorized_client",
            "Domain-wide delegation",
        ),
        (
            "account",
            refusal("invalid_grant", "Invalid JWT Signature."),
            "oauth_invalid_grant",
            "OAUTH_SERVICE_ACCOUNT",
        ),
        (
            "account",
            refusal("invalid_grant", "Invalid JWT: Token must be a short-lived token"),
            "oauth_invalid_grant",
            "clock",
        ),
        (
            "account",
            refusal("invalid_grant", "Invalid email or User ID"),
            "oauth_invalid_grant",
            "NOTIFIER_SMTP__USERNAME",
        ),
        ("consent", refusal("invented_error"), "oauth_invented_error", "OAUTH_TOKEN_URL"),
        ("consent", Answer(404, "<html>not here"), "oauth_404", "OAUTH_TOKEN_URL"),
        (
            "consent",
            Answer(302, "", {"Location": "http://127.0.0.1:1/"}),
            "oauth_302",
            "OAUTH_TOKEN_URL",
        ),
    ],
)
async def test_a_refused_token_stops_the_provider_and_says_what_to_renew(  # noqa: PLR0917
    server: SmtpServer,
    endpoint: TokenEndpoint,
    setting: Setting,
    way: str,
    step: Answer,
    code: str,
    told: str,
) -> None:
    endpoint.script(step)
    ways = {"consent": BY_CONSENT, "itself": BY_ITSELF, "account": by_account(endpoint)}

    with capture_logs() as logs:
        outcome = await setting.send(ways[way])

    assert isinstance(outcome, Systemic)
    assert not outcome.concerns_recipient
    assert outcome.code == code
    assert re.search(told, outcome.message)
    assert server.sessions == 0
    [event] = [each for each in logs if each["event"] == "oauth.not_renewed"]
    assert event["log_level"] == "error"
    assert event["problem"] == outcome.message
    assert not [secret for secret in SECRETS if secret in repr((outcome, logs))]


@pytest.mark.parametrize(
    ("step", "code", "again_s"),
    [
        (Answer(503, "busy"), "oauth_503", None),
        (Answer(429, {"error": "slow_down"}, {"Retry-After": "7"}), "oauth_429", 7),
        (refusal("temporarily_unavailable"), "oauth_temporarily_unavailable", None),
        (
            refusal("invalid_request", "AADSTS90033: A transient error has occurred."),
            "oauth_invalid_request AADSTS90033",
            None,
        ),
        (Answer(200, "<html>sign in to this network"), "oauth_no_token", None),
        (Answer(200, "[" * 10_000), "oauth_no_token", None),
        (Answer(200, {"token_type": "Bearer"}), "oauth_no_token", None),
        (Answer(200, {"access_token": "a\r\nMAIL FROM:<x>"}), "oauth_no_token", None),
        (Answer(200, {"access_token": "a\x01\x01"}), "oauth_no_token", None),
        (Answer(200, {"access_token": "abc", "token_type": "mac"}), "oauth_no_token", None),
        (Answer(200, "x" * 2**22), "oauth_no_token", None),
        (Drop(), "oauth_connection_lost", None),
    ],
)
async def test_an_endpoint_in_trouble_is_asked_again_later(
    server: SmtpServer,
    endpoint: TokenEndpoint,
    setting: Setting,
    step: Answer | Drop,
    code: str,
    again_s: float | None,
) -> None:
    endpoint.script(step)

    async with setting.adapter(BY_CONSENT) as adapter:
        outcome = await adapter.send(a_message())
        assert isinstance(outcome, Transient)
        assert (outcome.code, outcome.retry_after_s) == (code, again_s)
        assert not outcome.about_one
        assert server.sessions == 0
        setting.clock.advance(5)
        assert isinstance(await adapter.send(a_message()), Sent)


async def test_an_endpoint_that_does_not_answer_costs_a_quarter_of_a_mails_time(
    endpoint: TokenEndpoint, setting: Setting
) -> None:
    held = Hold()
    endpoint.script(held)

    outcome = await setting.send(BY_CONSENT, TIMEOUT_S="1")
    held.released.set()

    assert isinstance(outcome, Transient)
    assert outcome.code == "oauth_timeout"


async def test_nothing_listens_at_the_endpoint(setting: Setting) -> None:
    outcome = await setting.send(BY_CONSENT, OAUTH_TOKEN_URL="http://127.0.0.1:1/token")

    assert isinstance(outcome, Transient)
    assert outcome.code == "oauth_connection_refused"


async def test_after_the_consent_was_given_again_mails_go_out(
    endpoint: TokenEndpoint, setting: Setting
) -> None:
    endpoint.refresh_tokens.clear()

    async with setting.adapter(BY_CONSENT) as adapter:
        assert isinstance(await adapter.send(a_message()), Systemic)
        endpoint.refresh_tokens.add(REFRESH_TOKEN)
        setting.clock.advance(30)
        assert isinstance(await adapter.send(a_message()), Sent)


# --- settings -------------------------------------------------------------------------------


def oauth(**way: str) -> dict[str, str]:
    return {f"OAUTH_{name}": value for name, value in way.items()}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"PRESET": "google"}, "PRESET: google wants a login"),
        ({"PRESET": "yahoo"}, "PRESET: "),
        ({"PRESET": "google", **oauth(CLIENT_ID="c")}, "OAUTH_CLIENT_SECRET: is not set"),
        (
            {"PRESET": "google", **oauth(CLIENT_ID="c", CLIENT_SECRET="s")},
            "OAUTH_REFRESH_TOKEN: is not set; without one, Google wants .*SERVICE_ACCOUNT",
        ),
        ({"PRESET": "google", **oauth(CLIENT_ID="c", REFRESH_TOKEN="r")}, "OAUTH_CLIENT_SECRET"),
        (
            {"PRESET": "microsoft", **oauth(CLIENT_ID="c", CLIENT_SECRET="s")},
            "OAUTH_TENANT: is not set",
        ),
        ({"PRESET": "google", **oauth(SERVICE_ACCOUNT="{}", TENANT="t")}, "OAUTH_TENANT: not with"),
        (
            {"PRESET": "google", **oauth(SERVICE_ACCOUNT="{}", CLIENT_ID="c")},
            "OAUTH_CLIENT_ID: not",
        ),
        (
            {"PRESET": "google", **oauth(SERVICE_ACCOUNT="{}")},
            "OAUTH_SERVICE_ACCOUNT: expected a service",
        ),
        (
            {"PRESET": "google", **oauth(SERVICE_ACCOUNT="/run/x")},
            "OAUTH_SERVICE_ACCOUNT: expected the",
        ),
        (
            {"PRESET": "microsoft", **oauth(SERVICE_ACCOUNT="{}")},
            "OAUTH_SERVICE_ACCOUNT: is Google's",
        ),
        ({**oauth(CLIENT_ID="c", CLIENT_SECRET="s")}, "OAUTH_TOKEN_URL: is not set, nor is"),
        (
            {**oauth(CLIENT_ID="c", CLIENT_SECRET="s", TOKEN_URL="https://x.io/t")},
            "OAUTH_SCOPE: is not set",
        ),
        ({**oauth(SCOPE="x")}, "OAUTH_CLIENT_ID: is not set, nor is .*OAUTH_SERVICE_ACCOUNT"),
        ({"PASSWORD": "p", **oauth(CLIENT_ID="c")}, "PASSWORD: log in with it or with .*CLIENT_ID"),
        ({"USERNAME": None, **oauth(CLIENT_ID="c")}, "USERNAME: is not set"),
        ({"SECURITY": "none", **oauth(CLIENT_ID="c")}, "SECURITY: none allows no login"),
        ({**oauth(TOKEN_URL="http://x.io/token")}, "OAUTH_TOKEN_URL: expected https"),
        ({**oauth(TOKEN_URL="login.example/token")}, "OAUTH_TOKEN_URL: expected https"),
        ({**oauth(SCOPE="a\r\nb")}, "OAUTH_SCOPE"),
        (
            {
                "PRESET": "microsoft",
                **oauth(TENANT="t", TOKEN_URL="https://x.io/", CLIENT_ID="c", CLIENT_SECRET="s"),
            },
            "OAUTH_TENANT: not with",
        ),
        (
            {
                "PRESET": "microsoft",
                **oauth(TENANT="t", CLIENT_ID="c", CLIENT_SECRET="s", CA_PATH="/missing"),
            },
            "OAUTH_CA_PATH: no certificates",
        ),
    ],
)
def test_a_login_that_is_not_exactly_one_way_is_named(
    changes: dict[str, str | None], told: str
) -> None:
    with pytest.raises(SettingsError, match=f"^NOTIFIER_SMTP__{told}") as refused:
        smtp_adapter(ManualClock(), changes)

    assert "/run/x" not in str(refused.value)


def key_file(key: PrivateKeyTypes | str) -> str:
    if isinstance(key, str):
        pem = key
    else:
        form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        pem = key.private_bytes(serialization.Encoding.PEM, form, none).decode()
    return json.dumps({"client_email": "a@x.iam.gserviceaccount.com", "private_key": pem})


@pytest.mark.parametrize(
    "key",
    [
        "hunter2",
        rsa.generate_private_key(public_exponent=65_537, key_size=1_024),  # noqa: S505 - it is refused
        ec.generate_private_key(ec.SECP256R1()),
    ],
    ids=["none", "short", "of another kind"],
)
def test_a_key_that_cannot_sign_is_refused_at_the_start(key: PrivateKeyTypes | str) -> None:
    changes = {"PRESET": "google", "OAUTH_SERVICE_ACCOUNT": key_file(key)}

    with pytest.raises(SettingsError, match=r"^NOTIFIER_SMTP__OAUTH_SERVICE_ACCOUNT: its") as told:
        smtp_adapter(ManualClock(), changes)

    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    ("lifetime", "good_after_s"),
    [(3_600, 3_000), ("3600", 3_000), (None, 300), (0, 300), (True, 300), (10**12, 80_000)],
)
async def test_a_life_is_understood_however_it_is_told(
    endpoint: TokenEndpoint, setting: Setting, *, lifetime: JsonValue, good_after_s: float
) -> None:
    endpoint.lifetime = lifetime

    async with setting.adapter(BY_CONSENT) as adapter:
        assert isinstance(await adapter.send(a_message()), Sent)
        setting.clock.advance(good_after_s)
        assert isinstance(await adapter.send(a_message()), Sent)
        assert len(endpoint.asked) == 1
        setting.clock.advance(90_000)
        assert isinstance(await adapter.send(a_message()), Sent)
        assert len(endpoint.asked) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"PRESET": "Google", **oauth(CLIENT_ID="c", CLIENT_SECRET="s", REFRESH_TOKEN="r")},
        {"PRESET": "microsoft", **oauth(TENANT="t", CLIENT_ID="c", CLIENT_SECRET="s")},
        {"PRESET": "microsoft", **oauth(TENANT="common", CLIENT_ID="c", REFRESH_TOKEN="r")},
        {"PRESET": "google", "PASSWORD": "an app password"},
    ],
)
def test_little_has_to_be_set_for_the_large_ones(changes: dict[str, str]) -> None:
    smtp_adapter(ManualClock(), changes)


def documented() -> Iterator[dict[str, str]]:
    """What docs/mail-with-oauth.md has to be set, by block, with secrets in place of files."""
    page = (Path(__file__).parents[2] / "docs/mail-with-oauth.md").read_text(encoding="utf-8")
    for block in re.findall(r"^ *```\n(.*?)^ *```", page, re.DOTALL | re.MULTILINE):
        lines = (line.strip().split("=", 1) for line in block.splitlines() if "NOTIFIER_" in line)
        smtp = {
            name.removeprefix("NOTIFIER_SMTP__"): value.strip("<>")
            for name, value in lines
            if name.startswith("NOTIFIER_SMTP__")
        }
        if smtp:
            yield {name.removesuffix("_FILE"): value for name, value in smtp.items()}


def test_what_the_page_has_to_be_set_is_enough(endpoint_key: str) -> None:
    blocks = list(documented())

    for smtp in blocks:
        if "OAUTH_SERVICE_ACCOUNT" in smtp:
            smtp["OAUTH_SERVICE_ACCOUNT"] = endpoint_key
        smtp_adapter(ManualClock(), smtp)
    assert len(blocks) == 5


def test_without_its_libraries_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        each for each in sys.modules if each.startswith("notifier.channels.email.smtp.oa")
    ]:
        if name.rpartition(".")[2] in ("making", "endpoint", "grants"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.rsa", None)

    with pytest.raises(SettingsError, match=r"tokens needs a library: pip install notifier\[oauth"):
        smtp_adapter(ManualClock(), {"PRESET": "google", "OAUTH_SERVICE_ACCOUNT": "{}"})
