"""The mapping file: which column fills which field of RD, and how."""

from __future__ import annotations

from rdimport.mapping.model import (
    Clean,
    FieldSource,
    LegalBasis,
    Mapping,
    Otherwise,
    Source,
    SourceHints,
    Type,
)

__all__ = [
    "Clean",
    "FieldSource",
    "LegalBasis",
    "Mapping",
    "Otherwise",
    "Source",
    "SourceHints",
    "Type",
]
