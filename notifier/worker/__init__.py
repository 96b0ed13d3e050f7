"""Delivering: consumers, the relay and the processes that run them."""
