"""The API's settings."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from notifier.audience.allowed import AllowedRecipients
from notifier.content.attachment import AttachmentLimits
from notifier.notification.model import Channel
from notifier.notification.retention import Terms
from notifier.notification.sms import DEFAULT_RULES, SmsRules
from notifier.providers.receipt import CallbackRoute


def _every_channel() -> Mapping[Channel, Sequence[str]]:
    return dict.fromkeys(Channel, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiConfig:
    """The API's settings. `pepper` keys the digests of API keys and of idempotent requests."""

    pepper: bytes = field(repr=False)
    routes: Mapping[Channel, Sequence[str]] = field(default_factory=_every_channel)
    """The channels that are on, with their providers; notifications for others are refused."""
    callbacks: Sequence[CallbackRoute] = ()
    """How providers report here."""
    allowed_hosts: Sequence[str] = ()
    """Names, besides addresses and localhost, under which the sandbox's captures are served."""
    allowed_origins: Collection[str] = ()
    """Origins whose pages may use inboxes through a browser, as browsers write them."""
    test_recipients: AllowedRecipients = field(default_factory=AllowedRecipients)
    """Who gets tests of templates."""
    captured: frozenset[Channel] = frozenset()
    """The channels of which nothing leaves; tests of these go to anybody."""
    has_metrics: bool = False
    """Serve /metrics, to anyone who can reach the API."""
    metrics_cache_s: float = 5
    has_console: bool = True
    """Serve /console, to who signs in."""
    signs_in_by_key: bool = True
    """Whether an API key lets people into the console, as operators' passwords do."""
    max_waiting_passwords: int = 20
    """Passwords from one address that wait to be looked at; more are answered 429."""
    sms: SmsRules = DEFAULT_RULES
    default_zone: tzinfo = UTC
    """Where the clocks are of people of whom nothing else is known."""
    max_body_bytes: int = 1024 * 1024
    max_batch_bytes: int = 8 * 1024 * 1024
    body_timeout_s: float = 30
    max_held_bytes: int = 64 * 1024 * 1024
    """Bytes of bodies in memory at once, half of them of one service; more are answered 503."""
    max_concurrent_requests: int = 500
    """Requests under way in this process, streams apart; more are answered 503.
    One service has at most four fifths of them; its others are answered 429."""
    reads_at_once: int = 3
    """Reads of one service that the database works on at once; others wait in line."""
    changes_at_once: int = 3
    """Changes of one service, other than sends, that it works on at once; others wait in line."""
    uploads_at_once: int = 4
    """Files of one service that are received at once; others wait in line, unread."""
    upload_patience_s: float = 20
    upload_timeout_s: float = 60
    """How long the body of an upload may take."""
    max_waiting_reads: int = 100
    read_patience_s: float = 2
    """How long a read, or a change, waits in line."""
    max_concurrent_callbacks: int = 200
    """Callbacks under way, half of them of one address."""
    max_concurrent_public: int = 100
    """Requests of those who have a link, half of them of one address."""
    public_requests_per_minute: int = 1_200
    """What one address may ask with links; mail providers unsubscribe for many from few."""
    max_concurrent_probes: int = 50
    callback_timeout_s: float = 5
    """How long the body of a callback may take."""
    requests_per_minute: int = 60_000
    """What one API key may ask of this process."""
    subscriber_requests_per_minute: int = 600
    """What the subscriber tokens of one inbox may ask together."""
    failed_logins_per_minute: int = 60
    """Wrong API keys from one address before it is told to wait."""
    key_cache_s: float = 5
    """How long a revoked key may still work in this process."""
    probe_timeout_s: float = 2
    """How long readiness and the queues' depths may wait for database and broker."""
    callback_patience_s: float = 10
    """How long a callback for a notification that is being sent waits for the attempt's end."""
    max_waiting_callbacks: int = 50
    max_streams: int = 1_000
    """Open streams of this process, half of them of one service."""
    max_streams_per_inbox: int = 20
    max_console_streams: int = 200
    """Pages of the console that are followed at once, so many of them by each who is signed in."""
    max_console_streams_each: int = 20
    stream_poll_s: float = 0.5
    stream_keep_alive_s: float = 15
    stream_lifetime_s: float = 900
    """Streams end after this long, so that keys are checked again; clients resume by themselves."""

    attachments: AttachmentLimits = field(default_factory=AttachmentLimits)
    retention: Terms = field(default_factory=Terms)
    """How long is kept what no rule is for."""

    @property
    def channels(self) -> frozenset[Channel]:
        """The channels that are on."""
        return frozenset(self.routes)
