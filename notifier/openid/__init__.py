"""OpenID Connect, as who signs in to the console elsewhere goes by it."""
