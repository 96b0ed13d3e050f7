"""Recipients' in-app inboxes.

Whoever changes an inbox locks its row in `inboxes` first. An item gets its number under that
lock, which lasts until it is committed: who has seen number n has seen all before it.
"""
