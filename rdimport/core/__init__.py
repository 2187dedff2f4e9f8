"""What every room shares: rows and states, quota, errors, events, the clock, names, messages."""
