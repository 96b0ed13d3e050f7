"""What is made of what, and in which mode: nobody else knows."""
