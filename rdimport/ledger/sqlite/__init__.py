"""The embedded ledger: one SQLite file per state directory."""
