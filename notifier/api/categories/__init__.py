"""What services declare for all their people, over HTTP."""
