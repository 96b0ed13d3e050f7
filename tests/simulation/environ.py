"""How notifier is set up in a world."""

from tests.callbacks import AUTH_TOKEN, BASE_URL
from tests.simulation.eventing.rules import SERVICE
from tests.simulation.plan import Plan

PEPPER = "the pepper of a world"
BINDINGS = ("order.#", "remark.*", "like.given", "visit.#", "*.made", "payment.*")
"""By which events come: some by two of them."""
EMAIL = ("smtp", "sendgrid")
"""The providers of emails, those that a plan has first."""


def environ(plan: Plan) -> dict[str, str]:
    """Return the variables of all processes."""
    channels = {
        f"NOTIFIER_{channel}__{name}": str(value)
        for channel in ("EMAIL", "SMS")
        for name, value in (
            ("CONSUMERS", plan.consumers),
            ("RETRY_SCHEDULE_S", "[5, 30, 120]"),
            ("MAX_ATTEMPTS", 4),
            ("ON_UNKNOWN", plan.on_unknown),
        )
    }
    reported = {
        "NOTIFIER_TWILIO__STATUS_CALLBACK_BASE_URL": BASE_URL,
        "NOTIFIER_TWILIO__AUTH_TOKEN": AUTH_TOKEN,
    }
    bound = {
        "NOTIFIER_EVENTS__BINDINGS": ",".join(BINDINGS),
        "NOTIFIER_EVENTS__OWNERS": f"*={SERVICE}",
    }
    return {
        **channels,
        **(reported if plan.is_reported else {}),
        **(bound if plan.binds_events else {}),
        "NOTIFIER_DATABASE_URL": "sqlite:////world",
        "NOTIFIER_BROKER_URL": (
            "memory://" if plan.one_process else "amqp://guest:guest@broker:5672/"
        ),
        "NOTIFIER_KEY_PEPPER": PEPPER,
        "NOTIFIER_EMAIL__PROVIDERS": ",".join(EMAIL[: plan.providers]),
        "NOTIFIER_EMAIL__SENDER": "shop@example.com",
        "NOTIFIER_SMS__PROVIDERS": "twilio",
        "NOTIFIER_IN_APP__PROVIDERS": "none",
        "NOTIFIER_SMTP__TIMEOUT_S": "10",
        "NOTIFIER_SENDGRID__TIMEOUT_S": "10",
        "NOTIFIER_TWILIO__TIMEOUT_S": "10",
        "NOTIFIER_RELAY__SCHEDULES_EVERY_S": "10",
        "NOTIFIER_WORKER__PROCESSES": str(plan.children),
        "NOTIFIER_WORKER__LEASE_S": str(plan.lease_s),
        "NOTIFIER_WORKER__GRACE_S": str(plan.grace_s),
    }
