"""What every store stands on. Knows no subject."""
