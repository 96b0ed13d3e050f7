"""Mails to real mail servers and their limits: `scripts/test --with mail-servers`."""
