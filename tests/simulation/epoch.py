"""When every world begins."""

EPOCH_S = 1_800_000_000.0
"""As a Unix time."""
