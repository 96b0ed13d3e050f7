"""W3C trace context: one trace from a service's request to the provider's call."""

import re
import secrets

from starlette.requests import Request

_VERSION_00 = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


def traceparent(request: Request) -> str:
    """Return the request's `traceparent` if it is valid, a new one otherwise."""
    given = request.headers.getlist("traceparent")
    match = _VERSION_00.fullmatch(given[0]) if len(given) == 1 else None
    if match and int(match[1], 16) and int(match[2], 16):
        return match[0]
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
