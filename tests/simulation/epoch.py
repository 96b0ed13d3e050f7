"""When every world begins, and which changes of clocks come after that."""

from collections.abc import Sequence
from datetime import UTC, datetime

EPOCH_S = 1_800_000_000.0
"""As a Unix time."""
CHANGES: Sequence[tuple[str, str, datetime]] = (
    ("America/New_York", "02:01", datetime(2027, 3, 14, 7, tzinfo=UTC)),
    ("Europe/Vienna", "02:01", datetime(2027, 3, 28, 1, tzinfo=UTC)),
    ("Australia/Lord_Howe", "01:31", datetime(2027, 4, 3, 15, tzinfo=UTC)),
)
"""Where clocks are changed and when, and a time that they skip then, or show twice."""


def since_s(at: str) -> float:
    """Return the seconds from then to a time that the database says."""
    return datetime.fromisoformat(at).timestamp() - EPOCH_S
