"""An SVG chart of requests per minute: stacked columns, and a dashed line for the quota.

The page sets the colours: `.column.KIND` is filled, `.quota-line` stroked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Final

WIDTH: Final = 600
HEIGHT: Final = 120
_GAP: Final = 0.13
"""Share of a column's width that stays empty."""

_LEAST: Final = 2.0
"""Minimum height of a non-zero column, so that a single request in a busy hour is visible."""


def columns(
    counts: Sequence[Sequence[float]],
    kinds: Sequence[str],
    *,
    top: float,
    label: str,
    limit: float | None = None,
) -> str:
    """An `<svg>` element with a column for each of `counts`, its parts in the order of `kinds`.

    `top` is the value at the upper edge, `limit` that of the line, and `label` the text for screen
    readers. The image scales with its container, so it contains no text.
    """
    width = WIDTH / max(1, len(counts))
    stretched = f'viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none"'
    parts = [f'<svg class="chart" {stretched} role="img" aria-label="{escape(label)}">']
    if limit:
        y = f"{max(0.5, HEIGHT - limit / top * HEIGHT):.1f}"
        parts.append(f'<line class="quota-line" x1="0" x2="{WIDTH}" y1="{y}" y2="{y}"/>')
    for place, values in enumerate(counts):
        parts.extend(_column(place * width, width, values, kinds, top))
    return "".join(parts) + "</svg>"


def _column(
    x: float, width: float, values: Sequence[float], kinds: Sequence[str], top: float
) -> list[str]:
    left, wide = x + width * _GAP / 2, width * (1 - _GAP)
    if not any(values):
        return [_rectangle("none", left, HEIGHT - 1, wide, 1)]
    drawn, y = [], float(HEIGHT)
    for kind, value in zip(kinds, values, strict=True):
        if value:
            height = max(_LEAST, value / top * HEIGHT)
            y = max(0.0, y - height)
            drawn.append(_rectangle(kind, left, y, wide, height))
    return drawn


def _rectangle(kind: str, x: float, y: float, width: float, height: float) -> str:
    return (
        f'<rect class="column {kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}"'
        f' height="{height:.1f}"/>'
    )


def round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50, ... with some space above `value`."""
    wanted = max(1.0, value * 1.05)
    size = 10.0 ** math.floor(math.log10(wanted))
    return next(size * by for by in (1, 2, 5, 10) if size * by >= wanted)
