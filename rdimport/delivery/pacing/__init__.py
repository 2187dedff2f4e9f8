"""Pacing: when the next request may be sent, alone or sharing a quota with other runs."""
