"""The directory: people, their addresses, and the ids that they had before."""
