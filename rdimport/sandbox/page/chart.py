"""Requests by the minute as a drawing: bars of three kinds, and the quota as a line."""

from __future__ import annotations

from collections.abc import Sequence

from rdimport.core.quota import Quota
from rdimport.sandbox.page.markup import Markup, join, tag
from rdimport.sandbox.page.view import View

MINUTES = 30
_WIDTH, _HEIGHT, _GAP = 600, 120, 4
_KINDS = ("accepted", "refused", "throttled (429)")


def chart(view: View) -> Markup:
    """The last 30 minutes of the account."""
    bars = _bars(view)
    sums = [sum(bar) for bar in bars]
    quota = view.endpoint.options.quota()
    line = quota.requests if quota and quota.seconds == 60 else 0
    top = _round_up(max(*sums, line, 1))
    label = view.say(
        "Requests a minute over the last 30 minutes. This minute: {now}; the busiest: {most}.",
        now=sums[-1],
        most=max(sums),
    )
    drawing = tag(
        "svg",
        _quota_line(line, top),
        *(_bar(place, bar, top) for place, bar in enumerate(bars)),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
        class_="chart",
    )
    axis = tag(
        "div",
        tag("span", view.say("30 min ago")),
        tag("span", view.say("now")),
        class_="axis",
        aria_hidden="true",
    )
    return tag("figure", drawing, axis, _legend(view, quota), class_="chart-box")


def _bars(view: View) -> list[Sequence[int]]:
    minutes = view.endpoint.minutes.get(view.account)
    counts = minutes.by_minute if minutes else {}
    last = int(view.endpoint.clock.now().timestamp() // 60)
    return [counts.get(minute, (0, 0, 0)) for minute in range(last - MINUTES + 1, last + 1)]


def _bar(place: int, counts: Sequence[int], top: int) -> Markup:
    width = _WIDTH / MINUTES
    parts: list[Markup] = []
    y = float(_HEIGHT)
    for kind, count in zip(("accepted", "refused", "throttled"), counts, strict=True):
        if count:
            height = max(2.0, count / top * _HEIGHT)
            y = max(0.0, y - height)
            parts.append(
                tag(
                    "rect",
                    x=f"{place * width + _GAP / 2:.1f}",
                    y=f"{y:.1f}",
                    width=f"{width - _GAP:.1f}",
                    height=f"{height:.1f}",
                    class_=f"bar {kind}",
                )
            )
    if not parts:
        parts.append(
            tag(
                "rect",
                x=f"{place * width + _GAP / 2:.1f}",
                y=_HEIGHT - 1,
                width=f"{width - _GAP:.1f}",
                height=1,
                class_="bar none",
            )
        )
    return join(parts)


def _quota_line(limit: int, top: int) -> Markup | None:
    if not limit:
        return None
    y = f"{max(0.5, _HEIGHT - limit / top * _HEIGHT):.1f}"
    return tag("line", x1=0, x2=_WIDTH, y1=y, y2=y, class_="quota-line")


def _legend(view: View, quota: Quota | None) -> Markup:
    items = [
        tag("li", tag("span", class_=f"dot {kind.split(' ')[0]}"), view.say(kind))
        for kind in _KINDS
    ]
    if quota and quota.seconds == 60:
        text = view.say("quota {limit}", limit=view.number(quota.requests))
        items.append(tag("li", tag("span", class_="dash"), text))
    return tag("ul", items, class_="legend")


def _round_up(value: int) -> int:
    """The next value that leaves a little air above the highest bar."""
    return max(10, int(value * 1.1) + 1)
