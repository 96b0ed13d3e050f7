"""What the page says, by language."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from notifier.notification.model import Channel

_MAX_HEADER_CHARS = 1_000
_RANGE = re.compile(
    r"(?P<tag>[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*q\s*=\s*(?P<weight>[01](?:\.\d{0,3})?))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the page says in one language. `{title}`, `{brand}` and `{channel}` are put in."""

    language: str
    heading: str
    is_on: str
    is_off: str
    is_required: str
    unsubscribe: str
    subscribe: str
    all_heading: str
    all_words: str
    save: str
    everything_heading: str
    everything_words: str
    everything: str
    done_off: str
    done_on: str
    done_everything: str
    done_saved: str
    unknown_heading: str
    unknown_words: str
    channels: Mapping[Channel, str]


ENGLISH = Words(
    language="en",
    heading="Your notifications",
    is_on="You get “{title}” from {brand} {channel}.",
    is_off="You do not get “{title}” from {brand} {channel}.",
    is_required="“{title}” from {brand} cannot be switched off.",
    unsubscribe="Unsubscribe",
    subscribe="Subscribe again",
    all_heading="What you get",
    all_words="Choose what {brand} may send you.",
    save="Save",
    everything_heading="Nothing any more",
    everything_words="{brand} then sends only what you have to know, such as security notices.",
    everything="Unsubscribe from everything",
    done_off="You are unsubscribed from “{title}”.",
    done_on="You are subscribed to “{title}” again.",
    done_everything="You are unsubscribed from everything.",
    done_saved="Your choices are saved.",
    unknown_heading="This link does nothing",
    unknown_words="It is incomplete or not valid any more. Take the link of a newer message.",
    channels={
        Channel.EMAIL: "by email",
        Channel.SMS: "by SMS",
        Channel.IN_APP: "in the app",
    },
)
GERMAN = Words(
    language="de",
    heading="Ihre Benachrichtigungen",
    is_on="Sie bekommen „{title}“ von {brand} {channel}.",
    is_off="Sie bekommen „{title}“ von {brand} nicht {channel}.",
    is_required="„{title}“ von {brand} kann nicht abbestellt werden.",
    unsubscribe="Abbestellen",
    subscribe="Wieder bestellen",
    all_heading="Was Sie bekommen",
    all_words="Wählen Sie, was {brand} Ihnen schicken darf.",
    save="Speichern",
    everything_heading="Gar nichts mehr",
    everything_words="{brand} schickt dann nur noch, was Sie wissen müssen, etwa zur Sicherheit.",
    everything="Alles abbestellen",
    done_off="Sie haben „{title}“ abbestellt.",
    done_on="Sie haben „{title}“ wieder bestellt.",
    done_everything="Sie haben alles abbestellt.",
    done_saved="Ihre Auswahl ist gespeichert.",
    unknown_heading="Dieser Link bewirkt nichts",
    unknown_words="Er ist unvollständig oder gilt nicht mehr. "
    "Nehmen Sie den einer neueren Nachricht.",
    channels={
        Channel.EMAIL: "per E-Mail",
        Channel.SMS: "per SMS",
        Channel.IN_APP: "in der App",
    },
)
_BY_LANGUAGE = {each.language: each for each in (ENGLISH, GERMAN)}


def words_for(locale: str | None, accepted: str) -> Words:
    """Return the words of somebody's locale, else of what their browser asks for, else English."""
    for tag in (locale or "", *_asked_for(accepted)):
        language = tag.partition("-")[0].lower()
        if language in _BY_LANGUAGE:
            return _BY_LANGUAGE[language]
    return ENGLISH


def _asked_for(accepted: str) -> Iterator[str]:
    """Yield the tags of an Accept-Language, the most wanted first (RFC 9110 12.5.4)."""
    ranges = [
        found
        for part in accepted[:_MAX_HEADER_CHARS].split(",")
        if (found := _RANGE.fullmatch(part.strip()))
    ]
    wanted = [(float(found["weight"] or 1), found["tag"]) for found in ranges]
    yield from (tag for weight, tag in sorted(wanted, key=lambda each: -each[0]) if weight)
