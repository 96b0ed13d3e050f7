"""What anyone who reaches the port can do, against a real API process."""
