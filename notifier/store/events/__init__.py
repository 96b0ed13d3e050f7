"""Events in the database, and what came of them."""
