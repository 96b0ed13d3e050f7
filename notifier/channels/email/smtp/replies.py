"""What is read from SMTP replies that are welcome."""

import re

_QUEUE_IDS = tuple(
    re.compile(beginning + r"\s*([A-Za-z0-9][\w.-]{5,99})\b", re.IGNORECASE)
    for beginning in (r"queued as\b", r"\bid=", r"^ok:?\s")
)


def queue_id(text: str) -> str | None:
    """Return the id under which the server queued the mail, if its reply tells."""
    found = (pattern.search(text) for pattern in _QUEUE_IDS)
    return next((match[1] for match in found if match), None)
