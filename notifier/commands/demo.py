"""Believable traffic, with failures: for whoever wants to see a notifier at work."""

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer

from notifier.commands.answering import answering
from notifier.commands.calling import ApiClient, AtUrl
from notifier.commands.keys import create_key
from notifier.commands.showing import Answer, told
from notifier.composition import development
from notifier.errors import SettingsError
from notifier.settings.groups import ClientSettings, KeySettings

group = typer.Typer()

Wish: TypeAlias = Mapping[str, Any]

_SCOPES: Final = ("send", "read", "templates", "recipients", "broadcasts", "schedules", "admin")
_KEYS_LAST = timedelta(days=1)
_PEOPLE: Final = ("ada", "bob", "chloe", "dev", "emma", "finn", "grace", "hugo")
_UNSUBSCRIBED: Final = "gone@example.com"
_REFUSED: Final = "refused@sandbox.example"
_LATER: Final = "later@sandbox.example"
_BUSY: Final = "busy@sandbox.example"
_EVERY: Final = 60
_NEWS: Final[Wish] = {
    "default_locale": "en",
    "parts": {"en": {"email": {"subject": "This week", "text": "Three things are new."}}},
}


@group.command()
@answering
def demo(
    *,
    rate: Annotated[
        float, typer.Option(min=0.1, max=50, help="How many notifications a second.")
    ] = 5,
    minutes: Annotated[
        float, typer.Option(min=0.01, max=1_440, help="For how long; Ctrl-C ends it before.")
    ] = 10,
    folder: Annotated[
        Path, typer.Option(help="Of the one-process mode, unless NOTIFIER_DATABASE_URL is set.")
    ] = Path(".notifier"),
    url: AtUrl = None,
    really_send: Annotated[
        bool, typer.Option("--really-send", help="Even where providers are not the sandbox.")
    ] = False,
) -> Iterator[Answer]:
    """Send believable traffic with failures, as three services, to a notifier that runs."""
    environ = _environment(folder)
    where = url or ClientSettings.from_env(environ).url
    services = {name: ApiClient(url=where, key=_key(environ, name), service=None) for name in _MAKE}
    if not really_send:
        refuse_production(services["orders"])
    prepare(services["orders"])
    traffic = Traffic(services, random.Random())  # noqa: S311  for variety
    words = f"Sending {rate:g} a second for {minutes:g} minutes; look at {where}/console"
    yield told(words, state="sending", rate=rate, minutes=minutes, console=f"{where}/console")
    try:
        run(traffic, rate=rate, length_s=minutes * 60)
    except KeyboardInterrupt:
        yield told("Stopped.", state="stopped")
    yield told(f"Sent {traffic.count:,}.", state="done", sent=traffic.count)


def _environment(folder: Path) -> Mapping[str, str]:
    if os.environ.get("NOTIFIER_DATABASE_URL") or os.environ.get("NOTIFIER_DATABASE_URL_FILE"):
        return os.environ
    if not folder.is_dir():
        raise SettingsError(
            f"there is no {folder}: start ./scripts/run first, or set NOTIFIER_DATABASE_URL"
        )
    return development.environment(folder, os.environ)


def _key(environ: Mapping[str, str], service: str) -> str:
    return asyncio.run(create_key(KeySettings.from_env(environ), service, _SCOPES, _KEYS_LAST))


def refuse_production(client: ApiClient) -> None:
    """Go on only where nothing is really sent.

    Raises:
        SettingsError: a provider of a channel is another than the sandbox.
    """
    found = client.get("providers")["items"]
    real = sorted(each["name"] for each in found if each["channels"] and each["name"] != "sandbox")
    if real:
        words = ", ".join(real)
        raise SettingsError(f"it would really send, by {words}: say --really-send if it is to")


def prepare(client: ApiClient) -> None:
    """Have people, a template, a schedule and a broadcast to them, and an address not to send to.

    Whoever is there already stays as they are.
    """
    for name in _PEOPLE:
        address = {"channel": "email", "address": f"{name}@example.com", "is_primary": True}
        person = {"locale": "en", "addresses": [address]}
        client.put("recipients", f"demo-{name}", body=person, if_match=None)
    client.put("templates", "demo-news", "draft", body=_NEWS, if_match=None)
    client.post("templates", "demo-news", "publish", body=None)
    gone = {"type": "email", "recipient": _UNSUBSCRIBED, "reason": "unsubscribed"}
    client.post("suppressions", body=gone)
    client.post("broadcasts", body={"type": "email", "template": "demo-news", "all": True})
    if not any(each["name"] == "Demo: weekly news" for each in client.pages("schedules")):
        client.post(
            "schedules",
            body={
                "name": "Demo: weekly news",
                "when": {"every": "week", "on": ["mon"], "at": "09:30"},
                "zone": "recipient",
                "to": {"user_id": "demo-ada"},
                "template": "demo-news",
            },
        )


def run(
    traffic: "Traffic",
    *,
    rate: float,
    length_s: float,
    now_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Send at a steady rate; what a slow answer delayed is not made up for."""
    end_s = now_s() + length_s
    due_s = now_s()
    while due_s < end_s:
        traffic.send()
        due_s = max(due_s + 1 / rate, now_s())
        sleep(max(0.0, min(due_s, end_s) - now_s()))


def _order(chance: random.Random) -> Wish:
    number = chance.randint(10_000, 99_999)
    return {
        "type": "email",
        "recipient": _address(chance),
        "subject": "Order {{ number }} is confirmed",
        "content": "Thank you, we are packing it.",
        "variables": {"number": number},
        "metadata": {"order": str(number)},
    }


def _payment(chance: random.Random) -> Wish:
    if chance.random() < 0.5:  # noqa: PLR2004
        return {
            "type": "sms",
            "recipient": f"+4917012{chance.randint(10_000, 99_999)}",
            "content": "Your code is {{ code }}.",
            "variables": {"code": f"{chance.randint(0, 999_999):06}"},
            "sensitive": True,
            "priority": "high",
        }
    return {
        "type": "email",
        "recipient": _address(chance),
        "subject": "Your receipt",
        "content": "We received your payment.",
    }


def _parcel(chance: random.Random) -> Wish:
    if chance.random() < 0.5:  # noqa: PLR2004
        return {
            "type": "in_app",
            "recipient": f"demo-{chance.choice(_PEOPLE)}",
            "subject": "Your parcel",
            "content": "It arrives today between 14:00 and 15:00.",
        }
    return {
        "type": "email",
        "recipient": _address(chance),
        "subject": "Your parcel left us",
        "content": "It arrives tomorrow.",
        "priority": "bulk",
    }


def _address(chance: random.Random) -> str:
    """Return somebody's, or now and then one that fails."""
    known = f"{chance.choice(_PEOPLE)}@example.com"
    [drawn] = chance.choices(
        [known, _REFUSED, _LATER, _UNSUBSCRIBED, _BUSY], weights=[180, 10, 5, 4, 1]
    )
    return drawn


_MAKE: Final[Mapping[str, Callable[[random.Random], Wish]]] = {
    "orders": _order,
    "payments": _payment,
    "shipping": _parcel,
}


@dataclass(slots=True)
class Traffic:
    """What three services send; one in sixty is for later, and taken back."""

    services: Mapping[str, ApiClient]
    chance: random.Random
    count: int = 0

    def send(self) -> None:
        """Send one; a service that is told to slow down leaves it.

        Raises:
            ApiError: the API is not to be had.
        """
        name = self.chance.choice(list(self.services))
        wish = _MAKE[name](self.chance)
        client = self.services[name]
        self.count += 1
        if self.count % _EVERY:
            client.post("notifications", "send", body=wish)
            return
        later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        taken = client.post("notifications", "send", body={**wish, "send_at": later})
        client.post("notifications", taken["id"], "cancel", body=None)
