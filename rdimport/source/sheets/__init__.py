"""Workbooks, and HTML pages saved as such, as tables of text rows."""
