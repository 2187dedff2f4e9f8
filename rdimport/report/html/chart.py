"""The chart of report.html: responses per minute against the quota."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rdimport.core.chart import columns, round_up
from rdimport.ledger import Minute
from rdimport.report.html.text import escape
from rdimport.report.words import Words

_MOST_COLUMNS: Final = 120
"""Maximum columns of a chart: still distinct on a phone, and the file stays small."""

_KINDS: Final = ("accepted", "other", "throttled")


def pace(minutes: Sequence[Minute], per_minute: float | None, words: Words) -> str:
    """A `<figure>` without scripts; its colours are CSS variables of the page."""
    counts = [
        (m.accepted, max(0, m.requests - m.accepted - m.throttled), m.throttled)
        for m in thinned(minutes)
    ]
    busiest = max(m.requests for m in minutes)
    top = round_up(max(busiest, per_minute or 0.0, *map(sum, counts)))
    label = words.counted("pace.label", len(minutes), most=words.number(busiest))
    picture = columns(counts, _KINDS, top=top, label=label, limit=per_minute)
    scale = "".join(f"<span>{top * part:g}</span>" for part in (1, 0.5, 0))
    last = words.number(minutes[-1].minute)
    return (
        f'<figure class="pace"><div class="scale" aria-hidden="true">{scale}</div>{picture}'
        f'<div class="axis" aria-hidden="true"><span>0</span>'
        f"<span>{escape(words('pace.minutes'))}</span><span>{last}</span></div>"
        f'<ul class="legend">{"".join(_legend(counts, per_minute, words))}</ul></figure>'
    )


def _legend(
    counts: Sequence[Sequence[int]], per_minute: float | None, words: Words
) -> Iterator[str]:
    for kind, values in zip(_KINDS, zip(*counts, strict=True), strict=True):
        if any(values):
            name = escape(words(f"pace.{kind}"))
            yield f'<li><span class="dot {kind}"></span>{name}</li>'
    if per_minute:
        name = escape(f"{words('pace.quota')} {per_minute:g}")
        yield f'<li><span class="dash"></span>{name}</li>'


def thinned(minutes: Sequence[Minute]) -> list[Minute]:
    """At most `_MOST_COLUMNS` values: neighbours become their mean, which keeps the shape."""
    size = -(-len(minutes) // _MOST_COLUMNS)
    if size <= 1:
        return list(minutes)
    groups = (minutes[at : at + size] for at in range(0, len(minutes), size))
    return [
        Minute(group[0].minute, *(round(sum(m[i] for m in group) / len(group)) for i in (1, 2, 3)))
        for group in groups
    ]
