"""How many letters of a replay are tried again next."""

from notifier.replays.replay import MOST_SAVED_S


def allowance(rate_per_s: int, unspent_s: float, most: int) -> int:
    """Return how many may be, where nothing of its rate was spent for so long."""
    saved = int(rate_per_s * min(unspent_s, MOST_SAVED_S) + 1e-6)
    return max(0, min(saved, most))
