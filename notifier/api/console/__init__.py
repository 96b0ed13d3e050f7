"""The console: pages for people who run notifier, and for those whose service sends."""
