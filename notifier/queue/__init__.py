"""The message broker: RabbitMQ, or this process's memory."""
