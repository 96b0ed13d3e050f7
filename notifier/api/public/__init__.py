"""Pages for those who get notifications: who has a link needs no key."""
