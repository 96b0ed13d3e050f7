"""Settings: the NOTIFIER_* variables, checked and frozen."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, model_validator

from notifier.mailbox import parse_mailbox
from notifier.settings.audit import AuditSettings
from notifier.settings.events import EventSettings
from notifier.settings.hooks import HookSettings
from notifier.settings.reading import (
    BaseUrl,
    Environment,
    Group,
    Host,
    Names,
    Networks,
    Origins,
    PublicUrl,
    RatePerS,
    Schedule,
    Seconds,
    Secrets,
    ZoneName,
    secret_base_urls,
)
from notifier.settings.relay import RelaySettings
from notifier.settings.secrets import ErasureSettings, SecretSettings
from notifier.settings.sign_in import OpenIdSettings, SignInSettings


def _sender(value: str) -> str:
    parse_mailbox(value)
    return value


class ChannelSettings(Group):
    """What every channel has."""

    providers: Names = Field(
        (),
        description="Providers in order of preference; `sandbox` captures, `none` turns the "
        "channel off.",
    )
    consumers: int = Field(
        16, ge=1, le=1_000, description="Notifications that each worker process hands over at once."
    )
    retry_schedule_s: Schedule = Field(
        (10, 60, 300, 1_800, 7_200, 18_000, 36_000),
        description="Seconds before the second attempt, the third and so on; the last repeats. "
        "Up to a fifth is added or taken at random.",
    )
    max_attempts: int = Field(8, ge=1, description="A notification fails after so many attempts.")
    snooze_s: Seconds = Field(
        60,
        description="Seconds to wait where the provider throttles or refuses us; such an attempt "
        "does not count. Doubles up to an hour where a refusal may be about the recipient alone.",
    )
    snooze_limit_s: Seconds = Field(
        86_400,
        description="Seconds that a notification is put off for, in all, while the provider "
        "refuses us or its breaker is open; then it fails, to be replayed once that is mended.",
    )
    on_unknown: Literal["resend", "hold"] = Field(
        "resend",
        description="What to do when a provider may or may not have taken a notification: `resend` "
        "tries again, `hold` fails it for a person to look at.",
    )
    unknown_wait_s: Seconds = Field(
        60,
        description="Seconds for a provider's callback to say what became of a notification that "
        "it may have taken, before it is sent again; only where callbacks are set up.",
    )


class EmailSettings(ChannelSettings):
    """Email."""

    providers: Names = Field(
        (),
        description="Providers in order of preference: the next is asked while one is in trouble "
        "or surely did not take it. `sandbox` captures and sends nothing, `none` turns email off. "
        "Required where it runs in several processes.",
    )
    sender: Annotated[str, AfterValidator(_sender)] = Field(
        "notifier@localhost",
        description="The From address, with or without a display name: `Shop <shop@example.com>`. "
        "Of services that have a sender called `default`, that is instead: see "
        "[Senders](operations.md#senders).",
    )


class SmsSettings(ChannelSettings):
    """SMS."""

    providers: Names = Field(
        (),
        description="Providers in order of preference: the next is asked while one is in trouble "
        "or surely did not take it. `sandbox` captures and sends nothing, `none` turns SMS off. "
        "Required where it runs in several processes.",
    )
    max_segments: Annotated[int, Field(ge=1, le=255)] = Field(
        10,
        description="How many messages on a network one SMS may be: of 160 characters, or 153 each "
        "of several; with a character that is not in GSM 03.38, of 70, or 67. Longer ones are "
        "refused when they are sent to the API. Twilio takes no more than 1,600 characters.",
    )
    fold: bool = Field(
        default=False,
        description="Write typographic characters otherwise, quotes, dashes, ellipses, spaces, "
        "where an SMS then needs no UCS-2: see [api.md](api.md#sms). The same for API and workers.",
    )


class InAppSettings(ChannelSettings):
    """In-app."""

    providers: Names = Field(
        ("in_app",),
        description="`in_app` stores to the recipient's inbox, `sandbox` does so and captures; "
        "`none` turns in-app off.",
    )


class ProviderSettings(Group):
    """What every provider has that calls over a network."""

    timeout_s: Seconds = Field(15, description="Seconds for one request.")
    rate_per_s: RatePerS | None = Field(
        None, description="Calls a second that all workers together make; unlimited if unset."
    )


class WorkerSettings(Group):
    """The worker runner."""

    processes: int = Field(2, ge=1, le=64, description="OS processes of one runner.")
    grace_s: Seconds = Field(
        45,
        description="Seconds to finish what is in flight at a stop; the rest is given back.",
    )
    lease_s: Annotated[Seconds, Field(ge=15)] = Field(
        60,
        description="Seconds that a worker may hold a notification before others take it over; at "
        "least 10 more than the longest time-out of the providers that channels name.",
    )
    max_attached_bytes: int = Field(
        100_000_000,
        ge=1_000_000,
        description="Memory of a process, in bytes, for the attachments that it sends at once: "
        "three times what they take in their mails. Others wait, and after ten seconds come again "
        "later.",
    )
    hung_after_s: Annotated[Seconds, Field(ge=10)] = Field(
        30, description="A process that gives no sign of life for so many seconds is killed."
    )


class ApiSettings(Group):
    """The API."""

    rate_limit: int = Field(
        60_000,
        ge=1,
        description="Requests that a key may make in a minute, in each API process; each item of "
        "a batch counts.",
    )
    max_body_bytes: int = Field(
        1_048_576, ge=1_024, description="Largest body of a request, in bytes."
    )
    max_batch_bytes: int = Field(
        8_388_608, ge=1_024, description="Largest body of a batch, in bytes."
    )
    allowed_hosts: Names = Field(
        (),
        description="Host names, comma-separated, under which /sandbox is served besides "
        "addresses, `localhost` and names without a dot: under any other, a page of somebody "
        "else's could read it through a browser.",
    )
    allowed_origins: Origins = Field(
        (),
        description="Origins of web pages, comma-separated, such as `https://app.example.com`, "
        "that may open [inboxes](inbox.md) in a browser, each with a subscriber token. They are "
        "compared exactly: scheme, host and port.",
    )
    test_recipients: Names = Field(
        (),
        description="Who gets tests of [templates](templates.md#send-a-test) and of "
        "[providers](api.md#providers): addresses, numbers, "
        "user ids, and domains of emails such as `@example.org`, comma-separated. Where the "
        "sandbox is a channel's only provider, its tests go to anybody.",
    )
    trusted_proxies: Networks = Field(
        ("127.0.0.1", "::1"),
        description="Addresses and networks (CIDR) of proxies, comma-separated. Only their "
        "`X-Forwarded-For` is believed, and only they may hold any share of the connections.",
    )
    max_connections: int = Field(
        2_000,
        ge=10,
        description="Connections to each API process. Beyond them the longest idle one gives way; "
        "probes are answered all the same.",
    )
    max_connections_per_address: int = Field(
        500, ge=1, description="Those of one address, or of one /64 of IPv6."
    )
    head_timeout_s: Seconds = Field(
        10, description="Seconds for the head of a request to arrive as a whole."
    )


class AttachmentSettings(Group):
    """Attachments."""

    max_bytes: int = Field(
        10_000_000, ge=1_024, description="Largest file that can be uploaded, in bytes."
    )
    max_mail_bytes: int = Field(
        15_000_000,
        ge=1_024,
        description="Most that a mail's attachments may take as they are sent, in bytes: base64 "
        "makes them 37 % larger.",
    )
    max_unused_bytes: int = Field(
        1_000_000_000,
        ge=1_024,
        description="Most that a service may have uploaded without referring to it, in bytes.",
    )
    unused_s: Annotated[Seconds, Field(ge=600)] = Field(
        86_400, description="Seconds after which a file that nothing refers to is erased."
    )


class LinkSettings(Group):
    """Links to unsubscribe."""

    base_url: PublicUrl | None = Field(
        None,
        description="Where the internet reaches the API's pages below `/u/`, with https: "
        "`https://notify.example.com`. Unset, mails have no link to unsubscribe by.",
    )
    keys: Secrets = Field(
        (),
        description="Secrets that links are sealed with, 16 characters or more each: the first "
        "seals, all of them open, and links of a secret that is gone do nothing any more. Made "
        "from `NOTIFIER_KEY_PEPPER` if unset.",
    )


class AudienceSettings(Group):
    """People."""

    time_zone: ZoneName = Field(
        "UTC",
        description="Where the clocks are of people of whom the directory does not say, such as "
        "`Europe/Vienna`: their quiet hours go by it, and the days and weeks of caps. The same for "
        "the API and the workers.",
    )


class RetentionSettings(Group):
    """Retention."""

    content_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="Days after its end until the content of a notification goes: what was sent, "
        "with its variables, files, inbox item and capture; unset: never. Rules by service and "
        "channel come first ([retention](privacy.md#retention)).",
    )
    rows_days: int | None = Field(
        None,
        ge=7,
        le=36_500,
        description="Days after its end until all of a notification goes; unset: never. The "
        "account goes on counting it.",
    )


class DatabaseSettings(Environment):
    """Where the database is."""

    database_url: SecretStr = Field(
        description="The database: `postgresql://user:password@host/name`, with libpq's parameters "
        "such as `?sslmode=verify-full`, or `sqlite:///path` for one process."
    )


class KeySettings(DatabaseSettings):
    """What API keys are made and checked with."""

    key_pepper: SecretStr = Field(
        min_length=16,
        description="Secret that API keys are hashed with, 16 characters or more. If it changes, "
        "no key works any more.",
    )


class BrokerSettings(Environment):
    """Where the broker is."""

    broker_url: SecretStr = Field(
        description="The broker: `amqp://user:password@host/vhost`, or several hosts of a cluster "
        "with commas between them; `amqps://` with TLS, or `memory://` for one process."
    )
    broker_management_url: Annotated[SecretStr, AfterValidator(secret_base_urls)] | None = Field(
        None,
        description="Where RabbitMQ's management answers, for policies and queue members, or "
        "several such with commas between them; port 15672 of the broker's hosts if unset.",
    )


class TopologySettings(BrokerSettings):
    """What is made on the broker."""

    events: EventSettings = EventSettings()


class ClientSettings(Environment):
    """How commands that go by the API reach it, from wherever they run."""

    url: BaseUrl = Field(
        "http://127.0.0.1:8000",
        description="Where the API answers, for commands that go by it, such as `notifier "
        "templates`.",
    )
    api_key: SecretStr = Field(SecretStr(""), description="The API key that these commands use.")


class Settings(KeySettings, TopologySettings, ClientSettings):
    """Everything that can be set; providers add a group each.

    Each field is a variable: `email.sender` is NOTIFIER_EMAIL__SENDER. Any of them can come from
    a file instead: NOTIFIER_KEY_PEPPER_FILE=/run/secrets/pepper.
    """

    model_config = ConfigDict(extra="forbid")

    declare_topology: bool = Field(
        default=True,
        description="Make exchanges and queues that are missing at start; off where an operator "
        "applies them. Policies come from `notifier topology apply` alone.",
    )
    host: Host = Field("127.0.0.1", description="Address that the API listens on.")
    port: int = Field(
        8_000, ge=0, le=65_535, description="Port that the API listens on; 0 takes a free one."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least urgent level that is logged."
    )
    log_format: Literal["json", "console"] = Field(
        "json", description="A JSON object a line, or coloured text."
    )
    sandbox_page: bool = Field(
        default=False,
        description="Show /sandbox, what the sandbox provider captured, to anyone who can reach "
        "the API.",
    )
    console: bool = Field(
        default=True,
        description="Serve [/console](console.md), pages for operators.",
    )
    metrics: bool = Field(
        default=False,
        description="Serve /metrics for Prometheus, to anyone who can reach the API.",
    )
    email: EmailSettings = EmailSettings()
    sms: SmsSettings = SmsSettings()
    in_app: InAppSettings = InAppSettings()
    worker: WorkerSettings = WorkerSettings()
    relay: RelaySettings = RelaySettings()
    hooks: HookSettings = HookSettings()
    api: ApiSettings = ApiSettings()
    attachments: AttachmentSettings = AttachmentSettings()
    links: LinkSettings = LinkSettings()
    audience: AudienceSettings = AudienceSettings()
    retention: RetentionSettings = RetentionSettings()
    erasure: ErasureSettings = ErasureSettings()
    audit: AuditSettings = AuditSettings()
    sign_in: SignInSettings = SignInSettings()
    openid: OpenIdSettings = OpenIdSettings()
    secrets: SecretSettings = SecretSettings()

    @model_validator(mode="after")
    def _sends_end_before_leases(self) -> Self:
        used = {*self.email.providers, *self.sms.providers, *self.in_app.providers}
        for name, group in self:
            if name not in used or not isinstance(group, ProviderSettings):
                continue
            if group.timeout_s > self.worker.lease_s - 10:
                raise ValueError(
                    f"NOTIFIER_WORKER__LEASE_S: must be at least 10 s longer than "
                    f"NOTIFIER_{name.upper()}__TIMEOUT_S ({group.timeout_s:g} s)"
                )
        return self
