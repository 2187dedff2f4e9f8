"""The names of what can happen to a ledger."""

LOSSES = (
    "the ledger vanishes",
    "its folder vanishes",
    "another ledger is there",
    "the ledger is cut to nothing",
    "the ledger is cut to a byte",
)
"""Also while a run uses it."""
BETWEEN = (*LOSSES, "half of the ledger is gone", "an older ledger is there")
