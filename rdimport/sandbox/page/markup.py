"""Builds HTML from Python values. Anything but `Markup` is escaped, such as a contact's name."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final, Union

Child = Union["Markup", str, int, None, Iterable["Child"]]
Attribute = str | int | bool | None

_VOID: Final = frozenset(("br", "hr", "input", "link", "meta"))


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """One element. `class_` is written `class`, `aria_label` `aria-label`; True is an attribute
    without a value.

    None and False omit an attribute or a child.
    """
    start = f"<{name}{''.join(_attribute(*pair) for pair in attributes.items())}>"
    if name in _VOID:
        return Markup(start)
    return Markup(f"{start}{''.join(map(_text, children))}</{name}>")


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'


def _text(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str | int):
        return escape(str(child))
    return "".join(map(_text, child))


def join(*children: Child) -> Markup:
    """Elements one after another, without a parent."""
    return Markup("".join(map(_text, children)))


def live(id_: str, *children: Child, class_: str | None = None) -> Markup:
    """A part that the script keeps up to date."""
    return tag("div", *children, id=id_, data_live=True, class_=class_)


def faint(*children: Child) -> Markup:
    """Less important text."""
    return tag("span", *children, class_="faint")
