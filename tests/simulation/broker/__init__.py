"""RabbitMQ as a model: an AMQP 0-9-1 server at the level of bytes, with quorum queues.

`Broker` has the queues and everything that an operator or an accident may do to them; each client
is an `asyncio.Protocol` of its own. It has no clock, no thread and no randomness: what it does
follows from what it is sent, and from the timers of the loop.
"""
