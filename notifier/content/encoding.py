"""A template's content as JSON, and back."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from notifier.content.template import Content
from notifier.notification.model import Channel


def encode(content: Content) -> str:
    """Return it as JSON: the same text for the same content."""
    members = {
        "category": content.category,
        "default_locale": content.default_locale,
        "schema": content.schema,
        "examples": [dict(each) for each in content.examples],
        "parts": {
            locale: {channel.value: dict(parts) for channel, parts in channels.items()}
            for locale, channels in content.parts.items()
        },
    }
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def decode(text: str) -> Content:
    """Read what `encode` wrote."""
    members: Mapping[str, Any] = json.loads(text)
    return Content(
        category=members["category"],
        default_locale=members["default_locale"],
        schema=members["schema"],
        examples=members["examples"],
        parts={
            locale: {Channel(channel): parts for channel, parts in channels.items()}
            for locale, channels in members["parts"].items()
        },
    )


def checksum(encoded: str) -> str:
    """Return what tells one content from another: SHA-256, hexadecimal."""
    return hashlib.sha256(encoded.encode()).hexdigest()
