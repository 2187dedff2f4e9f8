"""Evidence that comes later -> which uncertain rows did arrive.

In: calls of RD's webhook, or an export of conversions. Out: rows that are accepted now, each with
the name of its proof.
"""
