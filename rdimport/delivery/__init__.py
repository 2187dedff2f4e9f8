"""Delivery: takes pending rows, sends them within the quota, and records each result."""
