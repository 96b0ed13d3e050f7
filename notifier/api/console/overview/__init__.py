"""The first page: whether notifications go out, how fast, and what keeps them."""
