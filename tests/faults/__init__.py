"""Each fault by itself, and all of them at once: `scripts/test --with faults`."""
