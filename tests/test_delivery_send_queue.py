"""The order in which rows are sent: retries first, then parked rows that are due, then new ones."""

from __future__ import annotations

from collections.abc import Iterator

from rdimport.delivery.send_queue import SendQueue
from rdimport.ledger import PendingRow, SendAttempt

DAY = 86_400.0


def row(number: int) -> PendingRow:
    return PendingRow(SendAttempt(bytes([number]) * 16, 0, number, "{}"), ())


def rows(*numbers: int) -> Iterator[PendingRow]:
    return map(row, numbers)


class Watch:
    """A clock set by the test."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def taken(queue: SendQueue) -> list[int]:
    found = []
    while (pending := queue.take()) is not None:
        found.append(pending.outgoing.row)
    return found


def test_rows_come_in_the_order_of_the_input_and_repeats_before_them() -> None:
    queue = SendQueue(rows(1, 2, 3), None, Watch())
    queue.repeats.extend(rows(8, 9))
    queue.repeats.appendleft(row(7))
    assert taken(queue) == [7, 8, 9, 1, 2, 3]
    assert not queue.exceeds_limit()


def test_a_parked_row_comes_when_it_is_due_before_new_rows_and_first_in_first_out() -> None:
    watch = Watch()
    queue = SendQueue(rows(3), None, watch)
    for number, wait in ((1, 5.0), (2, 5.0), (4, 9.0)):
        queue.park(row(number), wait)
    assert queue.parked_for == 5.0
    watch.now += 5
    assert taken(queue) == [1, 2, 3]
    assert queue.parked_for == 4.0
    watch.now += 10
    assert queue.parked_for == 0.0
    assert taken(queue) == [4]
    assert queue.parked_for is None


def test_without_a_named_wait_and_at_most_a_row_is_parked_until_its_quota_is_renewed() -> None:
    queue = SendQueue(rows(), None, Watch())
    queue.park(row(1), None)
    assert queue.parked_for == DAY
    queue.park(row(2), 0.0)
    assert queue.parked_for == 0.0
    far = SendQueue(rows(), None, Watch())
    far.park(row(1), 30 * DAY)
    assert far.parked_for == DAY


def test_a_row_that_is_parked_again_waits_longer_than_the_run_does() -> None:
    watch = Watch()
    queue = SendQueue(rows(), None, watch)
    queue.park(row(1), 1.0)
    watch.now += 1
    assert taken(queue) == [1]
    queue.park(row(1), 1.0)
    assert queue.parked_for == 120.0


def test_the_limit_counts_new_rows_alone_and_tells_whether_it_left_any() -> None:
    queue = SendQueue(rows(1, 2, 3), 2, Watch())
    queue.repeats.append(row(9))
    assert taken(queue) == [9, 1, 2]
    queue.repeats.append(row(1))
    assert taken(queue) == [1]
    assert queue.exceeds_limit()
    exact = SendQueue(rows(1, 2), 2, Watch())
    assert taken(exact) == [1, 2]
    assert not exact.exceeds_limit()
