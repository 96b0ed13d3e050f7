"""The worker's sentence: claim, render, send, finish."""
