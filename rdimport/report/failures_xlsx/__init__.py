"""failures.xlsx: the rows that need a person, and a summary sheet."""
