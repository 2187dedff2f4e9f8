"""The SQLite ledger: one file per state directory."""
