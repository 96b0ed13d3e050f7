"""Frames of JSON: their length, then they themselves."""

import json
import struct
from collections.abc import Mapping

HEADER = struct.Struct(">I")
ROOMY = "--roomy"
"""What the process is told that only fills what was published."""


def framed(document: Mapping[str, object]) -> bytes:
    """Write a document as a frame."""
    body = json.dumps(document).encode()
    return HEADER.pack(len(body)) + body
