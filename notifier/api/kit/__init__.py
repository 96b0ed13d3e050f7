"""What every endpoint stands on. Knows no subject."""
