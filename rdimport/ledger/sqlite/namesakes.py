"""State directories whose names only look the same: composed or decomposed accents (as macOS and
Linux write them), an invisible character or a blank pasted along with the name, other capitals.

A new ledger in such a directory would not know whom the other one has sent.
"""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import Final

from rdimport.core.errors import LedgerLostError
from rdimport.core.looking import exists, names_in
from rdimport.core.messages import _
from rdimport.core.shell import joined
from rdimport.core.visible import shown_lines
from rdimport.ledger.hashes import UNSEEN

_NOT_SEEN: Final = frozenset({"Cc", "Cf"})


def refuse(path: Path) -> None:
    """Raise LedgerLostError if there is no ledger at `path`, but one at a path that looks the same.

    Raises OSError for a folder that cannot be resolved.
    """
    if exists(path):
        return
    folder = path.parent.resolve()
    other = next((one for one in _alike(folder) if exists(one / path.name)), None)
    if other is None or exists(path):  # a run that began at the same time has made it
        return
    raise LedgerLostError(
        _(
            "There is no ledger in {folder}, but there is one in {other}, whose name only looks "
            "the same: it differs in invisible characters, blanks, capitals, or in how accents are "
            "encoded. Whoever was sent from that one would be sent again.",
            folder=folder,
            other=other,
        ),
        shown_lines(
            [
                _("Use that one: {where}", where=joined(["--state-dir", str(other)])),
                _("If another ledger is meant, give its directory a name that looks different."),
            ]
        ),
    )


def _alike(folder: Path) -> list[Path]:
    """The other folders whose path looks like this one's."""
    found = [Path(folder.anchor)]
    for name in folder.parts[1:]:
        found = [one for place in found for one in _named_like(place, name)]
    return [one for one in found if one != folder]


def _named_like(place: Path, name: str) -> list[Path]:
    """The entries that look like this name; the name itself if the folder is not listed."""
    wanted = _looks(name)
    with suppress(OSError):
        return [place / one for one in names_in(place) if _looks(one) == wanted]
    return [place / name]


def _looks(name: str) -> str:
    """What is seen of a name."""
    if not name.isascii():
        composed = unicodedata.normalize("NFKC", UNSEEN.sub("", name))
        name = "".join(c for c in composed if unicodedata.category(c) not in _NOT_SEEN)
    return " ".join(name.casefold().split())
