"""W3C trace context: one trace from a service's request to the provider's call."""

import os
import re

from starlette.requests import Request

from notifier.api.kit.headers import header_values

_VERSION_00 = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


def traceparent(request: Request) -> str:
    """Return the request's `traceparent` if it is valid, a new one otherwise."""
    given = header_values(request.scope, b"traceparent")
    match = _VERSION_00.fullmatch(given[0]) if len(given) == 1 else None
    if match and int(match[1], 16) and int(match[2], 16):
        return match[0]
    random = os.urandom(24).hex()
    return f"00-{random[:32]}-{random[32:]}-01"
