"""Shared test support: the command as a user types it, and endpoints to send to."""
