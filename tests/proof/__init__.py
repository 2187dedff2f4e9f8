"""The proof of the promise: seeded runs against an endpoint that misbehaves, and a strict checker.

It shares no code with `rdimport.sandbox`, and reads the ledger with plain SQL, so that a mistake in
one of them cannot hide itself.
"""
