"""Believable traffic, with failures: for whoever wants to see a notifier at work."""

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from notifier.commands.answering import answering
from notifier.commands.calling import ApiClient, AtUrl
from notifier.commands.demo_world import (
    BLOCKED,
    COMMENTED,
    FULL,
    LATER,
    ORDERED,
    PEOPLE,
    REFUSED,
    SHIPPED,
    UNSUBSCRIBED,
    Wish,
    mend,
    prepare,
)
from notifier.commands.keys import create_key
from notifier.commands.showing import Answer, told
from notifier.composition import development
from notifier.errors import SettingsError
from notifier.settings.groups import ClientSettings, KeySettings

group = typer.Typer()

_SCOPES: Final = (
    "send", "read", "templates", "recipients", "broadcasts", "schedules", "events", "rules",
    "admin",
)  # fmt: skip
_KEYS_LAST = timedelta(days=1)
_TAKEN_BACK_EVERY: Final = 60
_HAPPENS_EVERY: Final = 5
_MENDS_EVERY: Final = 20


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
    number = str(chance.randint(10_000, 99_999))
    return {
        "type": "email",
        "recipient": _address(chance),
        "template": ORDERED,
        "variables": {"number": number},
        "metadata": {"order": number},
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
            "recipient": f"demo-{chance.choice(PEOPLE)}",
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
    known = f"{chance.choice(PEOPLE)}@example.com"
    [drawn] = chance.choices(
        [known, REFUSED, FULL, BLOCKED, LATER, UNSUBSCRIBED],
        weights=[360, 12, 6, 4, 10, 8],
    )
    return drawn


_MAKE: Final[Mapping[str, Callable[[random.Random], Wish]]] = {
    "orders": _order,
    "payments": _payment,
    "shipping": _parcel,
}


_SAID: Final = ("Nice!", "Where is it?", "Thank you, it came today.", "Is there one in green?")


def _event(chance: random.Random) -> Wish:
    """Return what happened to somebody: an order was shipped, or there is a comment."""
    is_comment = chance.random() < 0.5  # noqa: PLR2004
    told = (
        {"text": chance.choice(_SAID)}
        if is_comment
        else {"number": str(chance.randint(10_000, 99_999))}
    )
    return {
        "specversion": "1.0",
        "id": f"demo-{chance.getrandbits(64):x}",
        "source": "/demo/shop",
        "type": COMMENTED if is_comment else SHIPPED,
        "data": {"user_id": f"demo-{chance.choice(PEOPLE)}", **told},
    }


@dataclass(slots=True)
class Traffic:
    """What three services send: each fifth time an event, and one in sixty for later, taken back.

    Once some have failed, an operator has those tried again.
    """

    services: Mapping[str, ApiClient]
    chance: random.Random
    count: int = 0
    is_mended: bool = False

    def send(self) -> None:
        """Send one; a service that is told to slow down leaves it.

        Raises:
            ApiError: the API is not to be had.
        """
        self.count += 1
        if not self.is_mended and self.count % _MENDS_EVERY == 0:
            self.is_mended = mend(self.services["orders"])
        if self.count % _HAPPENS_EVERY == 0:
            self.services["orders"].post("events", body=_event(self.chance))
        else:
            self._notify()

    def _notify(self) -> None:
        name = self.chance.choice(list(self.services))
        client, wish = self.services[name], _MAKE[name](self.chance)
        if (self.count + 1) % _TAKEN_BACK_EVERY:
            client.post("notifications", "send", body=wish)
            return
        later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        taken = client.post("notifications", "send", body={**wish, "send_at": later})
        client.post("notifications", taken["id"], "cancel", body=None)
