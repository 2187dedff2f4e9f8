"""Work that is done in a thread of its own while the result before it is used."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from importlib import import_module
from threading import Thread
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterator[Item], name: str) -> Iterator[Item]:
    """The same items in their order, each made in a thread while the one before it is used.

    There is one more item in memory, never two. An error is raised where its item would come.
    """
    context = copy_context()  # the language that is spoken, for one

    def following() -> Item | None:
        return context.run(lambda: next(items, None))

    with ThreadPoolExecutor(1, f"rdimport-{name}") as maker:
        coming = maker.submit(following)
        while (item := coming.result()) is not None:
            coming = maker.submit(following)
            yield item


def load_ahead(*modules: str) -> None:
    """Load modules that are needed a little later, while what comes first is read."""
    Thread(target=_load, args=modules, name="rdimport-load").start()


def _load(*modules: str) -> None:
    for module in modules:
        try:
            import_module(module)
        except Exception:  # noqa: BLE001  who needs it meets the same error, where it is reported
            return
