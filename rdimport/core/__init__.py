"""Shared by all packages: rows and states, quota, errors, events, the clock, names, messages."""
