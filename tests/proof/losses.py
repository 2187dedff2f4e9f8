"""The names of what can befall a ledger."""

LOSSES = (
    "the ledger vanishes",
    "its folder vanishes",
    "another ledger is there",
    "the ledger is cut to nothing",
    "the ledger is cut to a byte",
)
"""Also while a run is at work with it."""
BETWEEN = (*LOSSES, "half of the ledger is gone", "an older ledger is there")
