"""Events of worlds: what is published, by which rules, and what is to come of it."""
