"""What happened elsewhere, and what comes of it here."""
