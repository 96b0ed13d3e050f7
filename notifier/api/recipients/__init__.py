"""The directory over HTTP: the people of services, one by one, many at once, and from files."""
