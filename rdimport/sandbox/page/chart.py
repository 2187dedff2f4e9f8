"""Requests by the minute as a drawing: bars of three kinds, and the quota as a line."""

from __future__ import annotations

from collections.abc import Sequence

from rdimport.core.chart import columns, round_up
from rdimport.core.quota import Quota
from rdimport.sandbox.page.markup import Markup, tag
from rdimport.sandbox.page.view import View

MINUTES = 30
_KINDS = ("accepted", "refused", "throttled (429)")
_CLASSES = tuple(kind.split(" ")[0] for kind in _KINDS)


def chart(view: View) -> Markup:
    """The last 30 minutes of the account."""
    bars = _bars(view)
    sums = [sum(bar) for bar in bars]
    quota = view.endpoint.options.quota()
    line = quota.requests if quota and quota.seconds == 60 else 0
    top = round_up(max(10, *sums, line))
    label = view.say(
        "Requests per minute over the last 30 minutes. This minute: {now}; the busiest: {most}.",
        now=sums[-1],
        most=max(sums),
    )
    drawing = Markup(columns(bars, _CLASSES, top=top, label=label, limit=line))
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


def _legend(view: View, quota: Quota | None) -> Markup:
    items = [
        tag("li", tag("span", class_=f"dot {name}"), view.say(kind))
        for kind, name in zip(_KINDS, _CLASSES, strict=True)
    ]
    if quota and quota.seconds == 60:
        text = view.say("quota {limit}", limit=view.number(quota.requests))
        items.append(tag("li", tag("span", class_="dash"), text))
    return tag("ul", items, class_="legend")
