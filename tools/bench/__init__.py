"""How fast notifier is, beside what people would build instead: see scripts/bench."""
