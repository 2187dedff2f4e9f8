"""The mapping file: which column fills which RD field, and how."""

from __future__ import annotations

from rdimport.mapping.checks import Check
from rdimport.mapping.field_source import FieldSource, LegalBasis, Source, SourceHints
from rdimport.mapping.model import Mapping, loaded_once
from rdimport.mapping.vocabulary import Clean, Format, Otherwise, Several, Severity, Type

__all__ = [
    "Check",
    "Clean",
    "FieldSource",
    "Format",
    "LegalBasis",
    "Mapping",
    "Otherwise",
    "Several",
    "Severity",
    "Source",
    "SourceHints",
    "Type",
    "loaded_once",
]
