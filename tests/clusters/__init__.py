"""Clusters whose members are killed, frozen and promoted: `scripts/test --with clusters`."""
