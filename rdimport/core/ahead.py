"""Makes items in a thread while the ones before are used."""

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
    """The same items in order, each made in a thread while the one before is used. The first two
    are started now, so never more than two are held.

    An error is raised where its item would come.
    """
    context = copy_context()  # such as the current language

    def following() -> Item | None:
        return context.run(lambda: next(items, None))

    maker = ThreadPoolExecutor(1, f"rdimport-{name}")
    made = _in_order(maker, following)
    next(made)  # a started generator ends its thread, even if no item is ever requested
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
    """The items, if any; at the end, no more are made and their source is closed."""
    try:
        yield items
    finally:
        if isinstance(items, Generator):
            items.close()


def load_ahead(*modules: str) -> None:
    """Import modules in a thread, as they are needed a little later."""
    Thread(target=_load, args=modules, name="rdimport-load").start()


def _load(*modules: str) -> None:
    for module in modules:
        try:
            import_module(module)
        except Exception:  # noqa: BLE001  the import that needs it raises it again
            return
