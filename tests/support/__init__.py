"""What several tests share: the command as a user types it, and endpoints to send to."""
