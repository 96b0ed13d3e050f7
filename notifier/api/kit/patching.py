"""JSON Merge Patch (RFC 7396)."""

from notifier.notification.model import JsonValue


def patched(document: JsonValue, patch: JsonValue) -> JsonValue:
    """Return `document` with `patch` applied: null takes a member away, a list replaces a list."""
    if not isinstance(patch, dict):
        return patch
    result = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = patched(result.get(name), value)
    return result
