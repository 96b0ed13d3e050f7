"""The service of a feed: it says what was posted, and who wants to hear of it how often."""

import json
from pathlib import Path
from typing import Any

from examples.one_process import Notifier, one_process, tell, until

HERE = Path(__file__).parent
POSTED = (
    ("Ada", "A picture of the harbour"),
    ("Ben", "The club meets on Thursday"),
    ("Eve", "Who has a ladder?"),
)
PEOPLE = {"dora": "daily", "walt": "weekly"}


def main() -> None:
    """Set up the feed, let people post, and show the digests: when they are due, and one now."""
    with one_process() as notifier:
        set_up(notifier)
        for number, (author, title) in enumerate(POSTED, 1):
            for user_id, wants in PEOPLE.items():
                data = {"user_id": user_id, "wants": wants, "author": author, "title": title}
                notifier.publish("feed.posted", data, f"e-{number}-{user_id}")
            tell(f"{author} posted")
        until(lambda: len(_sent(notifier, "in_app")) == len(POSTED) * len(PEOPLE), "the feed")
        tell(f"in the inboxes: {len(POSTED)} items for each of {len(PEOPLE)} people")
        for name, user_id in (("feed.daily", "dora"), ("feed.weekly", "walt")):
            tell(f"{name}: due at {_due(notifier, name, user_id)}")
        [mail] = until(lambda: _sent(notifier, "email"), "the digest")
        tell(f"by email: {mail}")


def set_up(notifier: Notifier) -> None:
    """Publish templates and rules, and add people."""
    notifier.push("templates", HERE / "templates")
    notifier.push("rules", HERE / "rules")
    # Nobody waits for tomorrow here: the daily rule once more, with a window of seconds.
    soon = json.loads((HERE / "rules" / "feed.daily.json").read_text(encoding="utf-8"))
    soon["steps"][0] = {"digest": {"window": "3s"}}
    notifier.ask("rules/feed.soon/draft", soon, "PUT")
    notifier.ask("rules/feed.soon/publish", {}, "POST")
    for user_id in PEOPLE:
        address = {"channel": "email", "address": f"{user_id}@example.com", "is_primary": True}
        person = {"locale": "en", "time_zone": "Europe/Vienna", "addresses": [address]}
        notifier.ask(f"recipients/{user_id}", person, "PUT")


def _due(notifier: Notifier, rule: str, user_id: str) -> str:
    data = {"user_id": user_id, "wants": PEOPLE[user_id], "author": "Ada", "title": "A picture"}
    found = notifier.ask(f"rules/{rule}/dry-run", {"event": {"data": data}}, "POST")
    return str(found["matches"][0]["digest"]["due_at"])


def _sent(notifier: Notifier, channel: str) -> list[Any]:
    found = notifier.notifications(status="sent", type=channel)
    return [f"{each['template']['name']} to {each['user_id']}" for each in found]


if __name__ == "__main__":
    main()
