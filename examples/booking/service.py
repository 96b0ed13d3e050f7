"""The service of a booking platform: it says what happens, and knows no template or channel."""

from pathlib import Path
from typing import Any

from examples.one_process import Notifier, one_process, tell, until

RULES = Path(__file__).parent / "rules"
JAZZ = {
    "title": "Jazz in the Park",
    "starts_at": "2027-09-11T19:30:00+02:00",
    "time_zone": "Europe/Vienna",
    "place": "Stadtpark, Am Heumarkt 2, 1030 Vienna",
}
SITE = "https://evently.example.com"
ROBIN: dict[str, Any] = {"user_id": "robin", "name": "Robin"}
HAPPENED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("user.registered", {"email": "robin@example.com", "start_url": f"{SITE}/events"}),
    ("otp.requested", {"code": "482913", "minutes_valid": 10, "domain": "evently.example.com"}),
    (
        "booking.confirmed",
        {
            "event": JAZZ,
            "seats": ["C14", "C15"],
            "total": "49.00",
            "currency": "EUR",
            "booking_number": "EV-20481",
            "booking_url": f"{SITE}/b/20481",
        },
    ),
    (
        "booking.cancelled",
        {
            "event": JAZZ,
            "booking_number": "EV-20481",
            "cancelled_by": "guest",
            "booking_url": f"{SITE}/b/20481",
        },
    ),
    ("waitlist.joined", {"event": JAZZ, "position": 4, "waitlist_url": f"{SITE}/w/7731"}),
    (
        "waitlist.available",
        {
            "event": JAZZ,
            "waitlist_id": "w-7731",
            "deadline": "2027-09-08T12:00:00+02:00",
            "hours_left": 24,
            "booking_url": f"{SITE}/w/7731",
        },
    ),
    (
        "waitlist.cancelled",
        {"event": JAZZ, "waitlist_id": "w-7732", "cause": "left", "rejoin_url": f"{SITE}/e/jazz"},
    ),
)


def main() -> None:
    """Set up the platform, let things happen, and show what comes of them."""
    with one_process() as notifier:
        set_up(notifier)
        for number, (type, data) in enumerate(HAPPENED, 1):
            notifier.publish(type, {**ROBIN, **data}, f"e-{number}")
            tell(f"{type} happened")
        until(lambda: len(_of(notifier, "sent")) == len(HAPPENED) + 1, "sending")
        for each in _of(notifier, "sent"):
            tell(f"sent: {each}")
        for each in _of(notifier, "pending"):
            tell(f"waits: {each}, unless it is read in the inbox before")


def set_up(notifier: Notifier) -> None:
    """Install the templates and rules, and add somebody."""
    notifier.command("templates", "install", "--publish")
    notifier.push("rules", RULES)
    addresses = [
        {"channel": "email", "address": "robin@example.com", "is_primary": True},
        {"channel": "sms", "address": "+436641234567", "is_primary": True},
    ]
    person = {"locale": "en", "time_zone": "Europe/Vienna", "addresses": addresses}
    notifier.ask("recipients/robin", person, "PUT")


def _of(notifier: Notifier, status: str) -> list[str]:
    """Return what has this status, in the order of its acceptance."""
    found = notifier.notifications(status=status)
    return [f"{each['template']['name']} by {each['type']}" for each in found]


if __name__ == "__main__":
    main()
