"""Real servers for tests, benchmarks and fault drills: RabbitMQ, PostgreSQL, SMTP.

Each is private to whoever starts it (own ports, own folder), and is gone with its processes and
files when its context ends, or when the process that started it dies in whatever way.
"""
