"""From one request to a notification for each of many people."""
