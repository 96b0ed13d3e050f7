"""A template's content as JSON, and back."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeAlias
from uuid import UUID

from notifier.content.template import Content, Parts
from notifier.notification.model import Channel

Document: TypeAlias = dict[str, Any]


def encode(content: Content) -> str:
    """Return it as JSON: the same text for the same content."""
    document = content_document(content)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def decode(text: str) -> Content:
    """Read what `encode` wrote."""
    return read_content(json.loads(text))


def checksum(encoded: str) -> str:
    """Return what tells one content from another: SHA-256, hexadecimal."""
    return hashlib.sha256(encoded.encode()).hexdigest()


def content_document(content: Content) -> Document:
    """Write a content."""
    return {
        "category": content.category,
        "default_locale": content.default_locale,
        "schema": dict(content.schema),
        "examples": [dict(each) for each in content.examples],
        "parts": parts_document(content.parts),
        **_held(content),
    }


def read_content(document: Document) -> Content:
    """Read a content."""
    return Content(
        category=document["category"],
        default_locale=document["default_locale"],
        schema=document["schema"],
        examples=document["examples"],
        parts=read_parts(document["parts"]),
        layout=document.get("layout"),
        is_partial=document.get("partial", False),
        uses=document.get("uses", {}),
        brand=document.get("brand", {}),
        images={name: UUID(id) for name, id in document.get("images", {}).items()},
    )


def _held(content: Content) -> Document:
    """Write what not every content has: the others stay as they always were."""
    found = {
        "layout": content.layout,
        "partial": content.is_partial,
        "uses": dict(content.uses),
        "brand": dict(content.brand),
        "images": images_document(content.images),
    }
    return {name: value for name, value in found.items() if value}


def images_document(images: Mapping[str, UUID]) -> dict[str, str]:
    """Write which attachments a content shows."""
    return {name: str(id) for name, id in images.items()}


def parts_document(parts: Parts) -> Document:
    """Write the parts of a content."""
    return {
        locale: {channel.value: dict(each) for channel, each in channels.items()}
        for locale, channels in parts.items()
    }


def read_parts(document: Document) -> Parts:
    """Read the parts of a content."""
    return {
        locale: {Channel(channel): each for channel, each in channels.items()}
        for locale, channels in document.items()
    }
