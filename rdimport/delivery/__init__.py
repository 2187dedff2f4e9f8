"""Pending rows -> requests within the quota -> what became of each row."""
