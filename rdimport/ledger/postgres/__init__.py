"""One ledger for many machines, in PostgreSQL: each row is claimed before it may leave."""
