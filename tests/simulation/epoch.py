"""When every world begins."""

from datetime import datetime

EPOCH_S = 1_800_000_000.0
"""As a Unix time."""


def since_s(at: str) -> float:
    """Return the seconds from then to a time that the database says."""
    return datetime.fromisoformat(at).timestamp() - EPOCH_S
