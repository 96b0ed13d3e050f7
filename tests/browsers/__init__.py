"""Mails and pages in a real browser, Debian's Chromium: `scripts/test --with browsers`."""
