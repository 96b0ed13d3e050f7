"""Who there is in a world before anything happens, and what they can choose by."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from notifier.audience.category import Cap, Category, Kind, Span
from notifier.audience.changing import Wishes
from notifier.audience.choice_change import Source
from notifier.audience.person import Address, Profile, in_order
from notifier.audience.quiet_hours import QuietHours
from notifier.audience.topic import Member
from notifier.notification.model import Channel
from notifier.store.categories import SqlCategoryStore
from notifier.store.kit.database import Database
from notifier.store.preferences import SqlPreferenceStore
from notifier.store.recipients.store import SqlPersonStore
from notifier.store.topics import SqlTopicStore
from tests.simulation.epoch import EPOCH_S

SERVICE = "shop"
COUNT = 12
VARIANTS = 16
"""How many profiles each of them may have."""
_ZONES = (
    None,
    "Europe/Vienna",
    "America/New_York",
    "Asia/Kathmandu",
    "America/Los_Angeles",
    "Australia/Lord_Howe",
)
_LOCALES = (None, "en", "de-AT", "pt-BR")
_PHONES = 3
_SHARE_GIVEN = 0.15
CATEGORIES = (
    Category(service=SERVICE, key="orders", can_switch_off=False),
    Category(service=SERVICE, key="hints"),
    Category(service=SERVICE, key="news", kind=Kind.SUBSCRIBED, cap=Cap(2, Span.DAY)),
    Category(
        service=SERVICE,
        key="offers",
        kind=Kind.MARKETING,
        defaults={Channel.SMS: False},
        cap=Cap(1, Span.HOUR),
    ),
)
BY_KEY: Mapping[str, Category] = {each.key: each for each in CATEGORIES}


def user_id(number: int) -> str:
    """What one of them is called."""
    return f"person-{number:02d}"


USER_IDS = [user_id(number) for number in range(COUNT)]
STRANGERS = ("a-stranger", "the-last-stranger")
"""Members whom the directory does not know."""
TOPIC = "readers"
LETTER = "letter"
"""The template that broadcasts are of."""
LETTER_CATEGORY = "hints"


def profile(number: int, variant: int = 0) -> Profile:
    """What is said of one of them: other addresses, another zone in each variant.

    In some they have no address for emails, or none for SMS.
    """
    return Profile(
        user_id=user_id(number),
        locale=_LOCALES[(number + variant) % len(_LOCALES)],
        time_zone=_ZONES[(number + variant) % len(_ZONES)],
        addresses=in_order([*_emails(number, variant), *_phone(number, variant)]),
    )


def _emails(number: int, variant: int) -> Sequence[Address]:
    if variant % 4 == 3:
        return ()
    names = (
        f"Home-{number}@example.com",
        f"work-{number}@example.com",
        f"new-{number}@example.com",
    )
    return [
        Address(channel=Channel.EMAIL, address=name, is_primary=index == variant % 4)
        for index, name in enumerate(names[: 2 + (variant % 4 == 2)])
    ]


def _phone(number: int, variant: int) -> Sequence[Address]:
    which = (variant // 4 + number % 2) % (_PHONES + 1)
    if which == _PHONES:
        return ()
    digits = f"+49170{which + 1}{number:06d}"
    return [Address(channel=Channel.SMS, address=digits, is_primary=True)]


def profile_document(profile: Profile) -> Mapping[str, Any]:
    """Return a profile as services put it."""
    return {
        "locale": profile.locale,
        "time_zone": profile.time_zone,
        "addresses": [
            {"channel": each.channel, "address": each.address, "is_primary": each.is_primary}
            for each in profile.addresses
        ],
    }


def category_document(key: str, defaults: Mapping[str, bool]) -> Mapping[str, Any]:
    """Return a category as services put it, with these in the place of its defaults."""
    known = BY_KEY[key]
    cap = {"limit": known.cap.limit, "per": known.cap.per.value} if known.cap else None
    said = {"kind": known.kind.value, "can_switch_off": known.can_switch_off}
    return {**said, "defaults": defaults, "cap": cap}


async def settle(database: Database) -> None:
    """Let all of them be there, before there is a world."""
    categories = SqlCategoryStore(database)
    for category in CATEGORIES:
        await categories.set(category)
    people = [profile(number) for number in range(COUNT)]
    await SqlPersonStore(database).put_all(SERVICE, people)
    preferences = SqlPreferenceStore(database)
    for each in people[::3]:
        wished = Wishes(quiet_hours=_first_minutes(each), sets_quiet_hours=True)
        await preferences.change(SERVICE, each.user_id, wished, Source.API)

    topics = SqlTopicStore(database)
    await topics.set(service=SERVICE, key=TOPIC, title="Readers")
    members = [*(each.user_id for each in people if each.user_id != USER_IDS[-1]), *STRANGERS]
    await topics.add(SERVICE, TOPIC, [Member(user_id) for user_id in members])


def _first_minutes(profile: Profile) -> QuietHours:
    """Return one of the first minutes of a world, as their clocks show it."""
    zone = ZoneInfo(profile.time_zone or "UTC")
    number = int(profile.user_id.rpartition("-")[2])
    start = datetime.fromtimestamp(EPOCH_S, UTC).astimezone(zone) + timedelta(minutes=number % 2)
    return QuietHours(start.time(), (start + timedelta(minutes=1)).time())


def to_somebody(body: Mapping[str, Any], chance: random.Random) -> Mapping[str, Any]:
    """Return what is asked for with one of them for its recipient, at times at that address."""
    others = {name: value for name, value in body.items() if name != "recipient"}
    told = {**others, "user_id": chance.choice(USER_IDS)}
    if chance.random() < _SHARE_GIVEN:
        told["recipient"] = body["recipient"]
    # A template has a category of its own.
    if "template" not in body and (key := chance.choice((None, *BY_KEY))):
        told["category"] = key
    return told
