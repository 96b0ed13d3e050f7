"""The notification: values, and the ports that all need."""
