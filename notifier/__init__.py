"""A self-hosted notification delivery service.

A service POSTs a notification; the `Submitter` stores it as pending and answers 202; a message
with its id goes to the queue; a worker's `Deliverer` claims the record, hands it to a provider
and records the outcome; the relay publishes again whatever was accepted and is not on its way.
"""

__version__ = "0.1.0"
