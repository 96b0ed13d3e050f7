"""From what somebody asks for to a notification that is stored and on its way."""
