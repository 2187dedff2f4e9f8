"""The types of the arguments of `check`, `run` and `propose`, as far as they can be checked."""

from __future__ import annotations

from collections.abc import Mapping as Table
from datetime import datetime
from typing import Final

from rdimport.core import arguments
from rdimport.core.arguments import Test, instance_of, several
from rdimport.core.quota import Quota
from rdimport.core.row import State
from rdimport.destination import Destination
from rdimport.destination.rdstation.custom_fields import CustomFields
from rdimport.mapping import Mapping
from rdimport.source import Hints


def _like(port: type) -> Test:
    """The test for objects with the members of a protocol."""
    members = [name for name in vars(port) if not name.startswith("_")]
    return lambda value: all(hasattr(value, name) for name in members)


KINDS: Final[Table[str, Test]] = {
    **arguments.KINDS,
    "Mapping": instance_of(Mapping),
    "Quota": instance_of(Quota),
    "Hints": instance_of(Hints),
    "datetime": instance_of(datetime),
    "CustomFields": instance_of(CustomFields),
    "Destination": _like(Destination),
    "Collection[State]": several(list(State).__contains__),
    "Literal['auto', 'lean', 'httpx']": ("auto", "lean", "httpx").__contains__,
    "StopRequest": lambda value: hasattr(value, "subscribed"),
    "Clock": lambda value: hasattr(value, "monotonic"),
    "RandomSource": lambda value: hasattr(value, "random"),
    "Observer": callable,
    "Callable[[Departure], bool]": callable,
}
"""The test for each type, by its spelling in a declaration."""
