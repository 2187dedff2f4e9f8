"""A ledger in PostgreSQL that many machines share: each row is claimed before it may be sent."""
