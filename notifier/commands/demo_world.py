"""What the demo's traffic is about: people, what they chose, and what a team has made for them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from notifier.commands.calling import ApiClient

Wish: TypeAlias = Mapping[str, Any]

PEOPLE: Final = ("ada", "bob", "chloe", "dev", "emma", "finn", "grace", "hugo")
UNSUBSCRIBED: Final = "gone@example.com"
REFUSED: Final = "refused@sandbox.example"
FULL: Final = "full@sandbox.example"
BLOCKED: Final = "blocked@sandbox.example"
LATER: Final = "later@sandbox.example"
ORDERED: Final = "demo-order"
SHIPPED: Final = "com.example.order.shipped"
COMMENTED: Final = "com.example.comment.added"

_GERMAN: Final = ("chloe", "finn")
_LETTERS_EACH: Final = 3
_ENOUGH: Final = "\n\nNo more of these: {{ unsubscribe_url }}"
_CATEGORIES: Final[Mapping[str, Wish]] = {
    "demo.orders": {
        "titles": {"en": "Your orders", "de": "Bestellungen"},
        "kind": "transactional",
        "can_switch_off": False,
    },
    "demo.comments": {"titles": {"en": "Comments"}, "kind": "subscribed"},
    "demo.news": {
        "titles": {"en": "News and offers", "de": "Neues und Angebote"},
        "kind": "marketing",
        "cap": {"limit": 3, "per": "week"},
    },
}
_TEMPLATES: Final[Mapping[str, Wish]] = {
    "demo-news": {
        "default_locale": "en",
        "category": "demo.news",
        "parts": {
            "en": {"email": {"subject": "This week", "text": f"Three things are new.{_ENOUGH}"}},
            "de": {"email": {"subject": "Diese Woche", "text": f"Drei Dinge sind neu.{_ENOUGH}"}},
        },
    },
    ORDERED: {
        "default_locale": "en",
        "category": "demo.orders",
        "schema": {
            "type": "object",
            "properties": {"number": {"type": "string"}},
            "required": ["number"],
        },
        "examples": [{"number": "48151"}],
        "parts": {
            "en": {
                "email": {
                    "subject": "Order {{ number }} is confirmed",
                    "text": "Thank you, we are packing it.",
                },
                "in_app": {"text": "Order {{ number }} is on its way."},
            },
            "de": {
                "email": {
                    "subject": "Bestellung {{ number }} ist bestätigt",
                    "text": "Danke, wir packen sie ein.",
                },
                "in_app": {"text": "Bestellung {{ number }} ist unterwegs."},
            },
        },
    },
    "demo-comments": {
        "default_locale": "en",
        "category": "demo.comments",
        "schema": {
            "type": "object",
            "properties": {"count": {"type": "integer"}, "items": {"type": "array"}},
            "required": ["count", "items"],
        },
        "examples": [{"count": 2, "items": [{"text": "Nice!"}, {"text": "Where is it?"}]}],
        "parts": {
            "en": {
                "email": {
                    "subject": "{{ count }} new comments",
                    "text": "{% for item in items %}- {{ item.text }}\n{% endfor %}" + _ENOUGH,
                }
            }
        },
    },
}
_RULES: Final[Mapping[str, Wish]] = {
    "demo-shipped": {
        "on": SHIPPED,
        "to": "data.user_id",
        "key": "data.number",
        "steps": [
            {"send": ["in_app"], "template": ORDERED},
            {"delay": "10m"},
            {"unless": "read"},
            {"send": ["email"], "template": ORDERED},
        ],
    },
    "demo-comments": {
        "on": COMMENTED,
        "to": "data.user_id",
        "variables": {"text": "data.text"},
        "steps": [
            {"digest": {"window": "1m"}},
            {"send": ["email"], "template": "demo-comments"},
        ],
    },
}
_TOPICS: Final[Mapping[str, tuple[str, Sequence[str]]]] = {
    "demo.releases": ("Demo: what is new", ("ada", "bob", "chloe", "dev", "emma")),
    "demo.maintenance": ("Demo: planned maintenance", ("grace", "hugo")),
}
_CHOICES: Final[Mapping[str, Wish]] = {
    "bob": {"choices": {"demo.news": {"*": False}}},
    "chloe": {"quiet_hours": {"from": "22:00", "to": "07:00"}},
    "emma": {"choices": {"demo.comments": {"email": False}}},
}
_SCHEDULES: Final[Sequence[Wish]] = (
    {
        "name": "Demo: weekly news",
        "when": {"every": "week", "on": ["mon"], "at": "09:30"},
        "zone": "recipient",
        "to": {"user_id": "demo-ada"},
        "template": "demo-news",
    },
    {
        "name": "Demo: news of the month",
        "when": {"cron": "0 8 1 * *"},
        "zone": "Europe/Vienna",
        "to": {"topic": "demo.releases"},
        "template": "demo-news",
    },
)


def prepare(client: ApiClient) -> None:
    """Make what every page of the console has something to show of; safe to run again.

    What has the same name is replaced; it all begins with "demo", but an address not to send to.
    """
    for key, category in _CATEGORIES.items():
        client.put("categories", key, body=category, if_match=None)
    _have_people(client)
    for name, template in _TEMPLATES.items():
        client.put("templates", name, "draft", body=template, if_match=None)
        client.post("templates", name, "publish", body=None)
    _fail(client)
    for name, rule in _RULES.items():
        client.put("rules", name, "draft", body=rule, if_match=None)
        client.post("rules", name, "publish", body={})
    sender = {"address": "hello@shop.example", "display_name": "The demo's shop"}
    client.put("senders", "demo", body=sender, if_match=None)
    _announce(client)


def mend(client: ApiClient) -> bool:
    """Try again what full mailboxes refused, as an operator does; False: there is none yet."""
    wish = {"error_code": "552", "rate_per_s": 1}
    if not client.post("replays", body={**wish, "dry_run": True})["replayable"]:
        return False
    client.post("replays", body=wish)
    return True


def _have_people(client: ApiClient) -> None:
    for name in PEOPLE:
        email = {"channel": "email", "address": f"{name}@example.com", "is_primary": True}
        locale = "de" if name in _GERMAN else "en"
        person = {"locale": locale, "time_zone": "Europe/Vienna", "addresses": [email]}
        client.put("recipients", f"demo-{name}", body=person, if_match=None)
    for name, choice in _CHOICES.items():
        client.patch("recipients", f"demo-{name}", "preferences", body=choice)
    for key, (title, names) in _TOPICS.items():
        client.put("topics", key, body={"title": title}, if_match=None)
        members = {"members": [{"user_id": f"demo-{name}"} for name in names]}
        client.put("topics", key, "members", body=members, if_match=None)
    gone = {"type": "email", "recipient": UNSUBSCRIBED, "reason": "unsubscribed"}
    client.post("suppressions", body=gone)


def _announce(client: ApiClient) -> None:
    """Have a broadcast that is sent now, one that is to be, and schedules."""
    news = {"type": "email", "template": "demo-news"}
    client.post("broadcasts", body={**news, "all": True})
    soon = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    client.post("broadcasts", body={**news, "topic": "demo.releases", "send_at": soon})
    known = {each["name"] for each in client.pages("schedules")}
    for schedule in _SCHEDULES:
        if schedule["name"] not in known:
            client.post("schedules", body=schedule)


def _fail(client: ApiClient) -> None:
    """Have dead letters of several causes, as of a bad night."""
    for recipient in (REFUSED, FULL, BLOCKED):
        wish = {"type": "email", "recipient": recipient}
        plain = {**wish, "subject": "Your invoice", "content": "It is attached."}
        filled = {**wish, "template": ORDERED, "variables": {"number": "31337"}}
        for each in (plain, filled):
            for _ in range(_LETTERS_EACH):
                client.post("notifications", "send", body=each)
