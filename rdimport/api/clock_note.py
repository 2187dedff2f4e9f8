"""Notes about a clock that differs from the endpoint's."""

from __future__ import annotations

from collections.abc import Iterator

from rdimport.core.messages import _
from rdimport.ledger import ClockRange
from rdimport.report.words import Words


def clock_notes(clock: ClockRange | None, lang: str) -> Iterator[str]:
    """A sentence if a person has to set this machine's clock."""
    if clock is None or not any(clock):
        return
    words = Words(lang)
    least, most = (words.duration(abs(seconds)) for seconds in clock)
    if clock.least != clock.most:
        yield _(
            "This machine's clock was set during the run, or the endpoint's was: they differed by "
            "{one} at one time, and by {other} at another. No list of conversions can show that "
            "uncertain rows of this run did not arrive.",
            one=least,
            other=most,
        )
        return
    yield (
        _("This machine's clock is {time} behind that of the endpoint.", time=most)
        if clock.most > 0
        else _("This machine's clock is {time} ahead of that of the endpoint.", time=most)
    )
    yield _(
        "Set the clock right: --until, status and purge go by it. settle allows for the difference."
    )
