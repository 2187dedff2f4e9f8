"""Work that is done in a thread of its own while the result before it is used."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from importlib import import_module
from threading import Thread
from typing import TypeVar, cast

Item = TypeVar("Item")
Items = TypeVar("Items", bound=Iterator[object] | None)


def ahead(items: Iterator[Item], name: str) -> Iterator[Item]:
    """The same items in their order, each made in a thread while the one before it is used; the
    first two already now, when none is in use: so never more than two are held.

    An error is raised where its item would come.
    """
    context = copy_context()  # the language that is spoken, for one

    def following() -> Item | None:
        return context.run(lambda: next(items, None))

    maker = ThreadPoolExecutor(1, f"rdimport-{name}")
    made = _in_order(maker, following)
    next(made)  # what has begun ends its thread, even if no item is ever asked for
    return cast("Iterator[Item]", made)


def _in_order(maker: Executor, following: Callable[[], Item | None]) -> Iterator[Item | None]:
    """None at first, then the items."""
    coming = [maker.submit(following), maker.submit(following)]
    try:
        yield None
        while (item := coming.pop(0).result()) is not None:
            if not coming:
                coming.append(maker.submit(following))
            yield item
    finally:
        maker.shutdown(cancel_futures=True)


@contextmanager
def let_go(items: Items) -> Iterator[Items]:
    """The items, if any; in the end no more are made, and what they come from is closed."""
    try:
        yield items
    finally:
        if isinstance(items, Generator):
            items.close()


def load_ahead(*modules: str) -> None:
    """Load modules that are needed a little later, while what comes first is read."""
    Thread(target=_load, args=modules, name="rdimport-load").start()


def _load(*modules: str) -> None:
    for module in modules:
        try:
            import_module(module)
        except Exception:  # noqa: BLE001  who needs it meets the same error, where it is reported
            return
