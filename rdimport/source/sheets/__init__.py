"""Workbooks, and web pages saved as such -> tables of text rows."""
