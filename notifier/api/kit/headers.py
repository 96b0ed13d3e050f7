"""Reading a request's headers where it is done for every request."""

from starlette.types import Scope


def header(scope: Scope, name: bytes) -> str:
    """Return the first header of this lower-case name; an empty text without."""
    for key, value in scope["headers"]:
        if key == name:
            found: str = value.decode("latin-1")
            return found
    return ""


def header_values(scope: Scope, name: bytes) -> list[str]:
    """Return all headers of this lower-case name."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]
