"""The description of the mapping that a run keeps: the file may change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdimport.core.names import fold
from rdimport.ledger import FieldRecord, MappingRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdimport.destination.rdstation.custom_fields import CustomFields
    from rdimport.mapping import Mapping
    from rdimport.mapping.targets import Target

_YES_NO: Final = ["Sim", "Não"]


def record(mapping: Mapping, account: CustomFields | None = None) -> MappingRecord:
    """The description of a mapping."""
    from rdimport.mapping.account_fields import allowed_values  # noqa: PLC0415  only a run needs it
    from rdimport.mapping.identity_rule import identity_rule  # noqa: PLC0415
    from rdimport.mapping.targets import targets  # noqa: PLC0415

    wanted = targets(mapping)
    options = allowed_values(mapping, account)
    return MappingRecord(
        tuple(
            FieldRecord(
                target.field,
                tuple(target.source.column or ()),
                target.source.value,
                target.source.expr,
            )
            for target in wanted
        ),
        {
            fold(column): tuple(choices)
            for target in wanted
            if (choices := _choices(target, options.get(target.name, ())))
            for column in target.source.column or ()
        },
        identity_rule(mapping),
    )


def _choices(target: Target, options: Sequence[str]) -> list[str]:
    """The values that a cell may have, if that is a short list."""
    from rdimport.mapping import Clean, Type  # noqa: PLC0415
    from rdimport.prepare.clean.brazil import STATES  # noqa: PLC0415  as above

    if target.source.values:
        return list(target.source.values)
    if target.check.one_of:
        return list(target.check.one_of)
    if options:
        return list(options)
    if Clean.UF in target.cleaners:
        return list(STATES)
    return _YES_NO if target.type is Type.BOOLEAN else []
