"""The pages of rules: what there is, a source with what it would do, and what becomes of it."""
