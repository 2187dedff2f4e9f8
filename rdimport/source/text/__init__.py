"""Delimited text in any encoding, as tables of text rows."""
