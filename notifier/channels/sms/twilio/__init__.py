"""SMS through Twilio's Messages resource."""
