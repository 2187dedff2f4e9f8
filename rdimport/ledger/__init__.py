"""The ledger: what became of every row. Reports read nothing else.

Rows are recorded before they are sent, and their results afterwards. `port` defines what a ledger
does; `sqlite` keeps one in a state directory, `postgres` one that machines share. Other packages
import from here.
"""

from rdimport.ledger.accounts import Account, KeyClaim, hash_of
from rdimport.ledger.attempts import Attempt, Latest
from rdimport.ledger.copying import alone, copy_ledger, move_key
from rdimport.ledger.elsewhere import agree, has_others, refuse_elsewhere, unknown_elsewhere
from rdimport.ledger.evidence import AFTER, CLOCKS, ClockRange, Complete, Doubt, identifier_hash
from rdimport.ledger.figures import (
    Example,
    LegalBases,
    Minute,
    WrongColumn,
    of_filled,
    wrong_column,
)
from rdimport.ledger.first_run import alone_if_first
from rdimport.ledger.holds import Held, HeldQuota, LeftPace, wait_for
from rdimport.ledger.key_marks import note_key
from rdimport.ledger.naming import WRITTEN, Names, Unrecognised, refuse_unrecognised
from rdimport.ledger.one_ledger import has_sent, note_which, see_moved, see_which
from rdimport.ledger.opening import (
    fleet_of,
    is_shared,
    make_shared,
    missing_library,
    store_of,
    store_of_run,
)
from rdimport.ledger.port import Ledger, RowLog, Run, Store
from rdimport.ledger.records import (
    Corrected,
    Correction,
    Counters,
    Ending,
    Erased,
    FailedRow,
    FieldRecord,
    Found,
    Input,
    MappingRecord,
    Outcome,
    Pause,
    PendingRow,
    RowResult,
    RunFacts,
    RunRecord,
    SendAttempt,
    WorkerState,
    problems_of,
    text_of,
)
from rdimport.ledger.resends import Met
from rdimport.ledger.wholeness import damage_in

__all__ = [
    "AFTER",
    "CLOCKS",
    "WRITTEN",
    "Account",
    "Attempt",
    "ClockRange",
    "Complete",
    "Corrected",
    "Correction",
    "Counters",
    "Doubt",
    "Ending",
    "Erased",
    "Example",
    "FailedRow",
    "FieldRecord",
    "Found",
    "Held",
    "HeldQuota",
    "Input",
    "KeyClaim",
    "Latest",
    "Ledger",
    "LeftPace",
    "LegalBases",
    "MappingRecord",
    "Met",
    "Minute",
    "Names",
    "Outcome",
    "Pause",
    "PendingRow",
    "RowLog",
    "RowResult",
    "Run",
    "RunFacts",
    "RunRecord",
    "SendAttempt",
    "Store",
    "Unrecognised",
    "WorkerState",
    "WrongColumn",
    "agree",
    "alone",
    "alone_if_first",
    "copy_ledger",
    "damage_in",
    "fleet_of",
    "has_others",
    "has_sent",
    "hash_of",
    "identifier_hash",
    "is_shared",
    "make_shared",
    "missing_library",
    "move_key",
    "note_key",
    "note_which",
    "of_filled",
    "problems_of",
    "refuse_elsewhere",
    "refuse_unrecognised",
    "see_moved",
    "see_which",
    "store_of",
    "store_of_run",
    "text_of",
    "unknown_elsewhere",
    "wait_for",
    "wrong_column",
]
