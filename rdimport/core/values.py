"""Classes of named values that are cheaper to create than dataclasses (half a millisecond)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, dataclass_transform

if TYPE_CHECKING:
    from dataclasses import replace as replace  # noqa: PLC0414  so that names are checked
else:

    def replace(values: Values, /, **changed: Any) -> Values:
        """The same values except for those given."""
        return type(values)(**{**vars(values), **changed})


@dataclass_transform(frozen_default=True, kw_only_default=True, eq_default=False)
class Values:
    """A frozen dataclass to the type checker; it has neither equality nor a repr."""

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)


def names(kind: type[Values]) -> list[str]:
    """The names of the values of a class."""
    return [name for one in kind.__mro__ for name in getattr(one, "__annotations__", ())]
