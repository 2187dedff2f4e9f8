"""What became of every row: the truth that reports read."""

from rdimport.ledger.records import (
    Counters,
    Ending,
    FieldRecord,
    Input,
    MappingRecord,
    Outcome,
    PendingRow,
    RowResult,
    RunFacts,
    RunRecord,
    SendAttempt,
    problems_of,
    text_of,
)
from rdimport.ledger.sqlite.files import FILE_NAME
from rdimport.ledger.sqlite.ledger import Ledger
from rdimport.ledger.sqlite.run import Run

__all__ = [
    "FILE_NAME",
    "Counters",
    "Ending",
    "FieldRecord",
    "Input",
    "Ledger",
    "MappingRecord",
    "Outcome",
    "PendingRow",
    "RowResult",
    "Run",
    "RunFacts",
    "RunRecord",
    "SendAttempt",
    "problems_of",
    "text_of",
]
