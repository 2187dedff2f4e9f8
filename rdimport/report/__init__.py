"""Reads the ledger and writes one file each: `REPORT-DIR/RUN-ID/`."""
