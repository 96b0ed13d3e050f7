"""What RabbitMQ does, and the model of it: the same scripts over both, frame by frame.

Where they disagree, the model is wrong.
"""
