"""Formats results as lines of text."""
