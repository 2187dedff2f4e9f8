"""Settlement: later evidence that uncertain rows arrived.

In: RD's webhook calls, or an export of conversions. Out: rows that are now accepted, each with its
proof.
"""
