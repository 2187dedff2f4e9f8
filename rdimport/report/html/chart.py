"""The pace of a run as a picture: requests and 429s in each minute against the quota, as SVG."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from typing import Any, Final

from rdimport.ledger.figures import Minute
from rdimport.report.words import Words

_POINTS: Final = 240
"""Points of a line: more than a phone can show, and a file that stays small."""

_COLOURS: Final = ("var(--requests)", "var(--accepted)", "var(--throttled)", "var(--quota)")


def pace(minutes: Sequence[Minute], per_minute: float | None, words: Words) -> str:
    """An `<svg>` element without scripts or links; its colours are variables of the page."""
    points = thinned(minutes)
    chart = _empty(_top(minutes, per_minute), words, dots=len(minutes) < 3)
    chart.x_labels = _whole(minutes[-1].minute)
    chart.add(words("pace.requests"), [(m.minute, m.requests) for m in points], fill=True)
    chart.add(words("pace.accepted"), [(m.minute, m.accepted) for m in points])
    chart.add(words("pace.throttled"), [(m.minute, m.throttled) for m in points])
    if per_minute:
        ends = (points[0].minute, max(points[-1].minute, 1))
        dashed = {"width": 2, "dasharray": "6, 4"}
        line = [(at, per_minute) for at in ends]
        chart.add(words("pace.quota"), line, stroke_style=dashed, show_dots=False)
    return _bare(str(chart.render(is_unicode=True)))


def _empty(top: float, words: Words, *, dots: bool) -> Any:
    """A chart without lines; `top` is the highest value that has to fit."""
    pygal, style_of = _library()
    style = style_of(
        background="transparent",
        plot_background="transparent",
        foreground="var(--ink)",
        foreground_strong="var(--ink)",
        foreground_subtle="var(--line)",
        colors=_COLOURS,
        font_family="inherit",
        label_font_size=13,
        major_label_font_size=13,
        legend_font_size=14,
        opacity=".25",
        opacity_hover=".25",
        transition="0s",
    )
    return pygal.XY(
        style=style,
        js=(),
        width=860,
        height=320,
        show_dots=dots,
        dots_size=4,
        show_x_guides=False,
        legend_at_bottom=True,
        legend_at_bottom_columns=2,
        x_title=words("pace.minutes"),
        include_x_axis=True,
        range=(0, top),
        y_labels=_ticks(top),
        pretty_print=False,
        disable_xml_declaration=True,
        truncate_legend=-1,
        value_formatter=lambda value: f"{value:g}",
        x_value_formatter=lambda value: f"{value:g}",
    )


def _library() -> tuple[Any, Any]:
    """pygal and its `Style`: 36 ms, for who draws only.

    It puts a finder of a kind that Python has given up among those of the imports, for plugins that
    we do not use; Python 3.11 would warn of it at every later import.
    """
    import pygal  # noqa: PLC0415
    from pygal.style import Style  # noqa: PLC0415

    useless = [f for f in sys.meta_path if type(f).__module__ == "pygal"]
    sys.meta_path[:] = [f for f in sys.meta_path if f not in useless]
    return pygal, Style


def _bare(svg: str) -> str:
    """Without its script, its comments and its random name: the same run gives the same bytes."""
    svg = re.sub(r"<!--.*?-->|<script.*?</script>|<script[^>]*/>", "", svg, flags=re.DOTALL)
    return re.sub(r"chart-[0-9a-f-]{36}", "pace", svg)


def thinned(minutes: Sequence[Minute]) -> list[Minute]:
    """Not more than `_POINTS`: neighbours become their mean, so that no line grows or vanishes."""
    size = -(-len(minutes) // _POINTS)
    if size <= 1:
        return list(minutes)
    groups = (minutes[at : at + size] for at in range(0, len(minutes), size))
    return [
        Minute(group[0].minute, *(round(sum(m[i] for m in group) / len(group)) for i in (1, 2, 3)))
        for group in groups
    ]


def _ticks(top: float) -> list[float]:
    """Four or five round numbers from 0 up."""
    rough = top / 5
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * by for by in (1, 2, 5, 10) if size * by >= rough)
    return [step * i for i in range(int(top / step) + 1)]


def _whole(last: int) -> list[int]:
    """Minutes to name: whole ones, however short the run was."""
    rough = max(last, 1) / 10
    size = 10 ** max(0, math.ceil(math.log10(rough)) - 1)
    step = next(size * by for by in (1, 2, 5, 10) if size * by >= rough)
    return list(range(0, last + 1, step))


def _top(minutes: Sequence[Minute], per_minute: float | None) -> float:
    return max(1.0, per_minute or 0.0, *(m.requests for m in minutes)) * 1.1
