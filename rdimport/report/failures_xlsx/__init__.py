"""failures.xlsx: the rows that need attention, and a summary sheet."""
