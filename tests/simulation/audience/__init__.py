"""The people of worlds: who they are, what they do, and what is to reach them."""
