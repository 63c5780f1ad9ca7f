from typing import Any, cast

from server.guard import Guard, GuardedHandler


class Handler:
    """Stands for a connection."""

    def __init__(self, *, idle: bool = True) -> None:
        self.idle = idle
        self.closed = False

    def force_close(self) -> None:
        self.closed = True


def made(count: int) -> list[Any]:
    return [cast(GuardedHandler, Handler()) for _ in range(count)]


def test_an_address_at_its_limit_loses_its_oldest_connection() -> None:
    guard, handlers = Guard(open_per_address=3), made(4)
    for at, handler in enumerate(handlers[:3]):
        assert guard.arrive(handler, "a", float(at))
    assert guard.arrive(handlers[3], "a", 10.0)
    assert [handler.closed for handler in handlers] == [True, False, False, False]
    assert (guard.unproved, guard.evicted) == (3, 1)


def test_a_burst_of_newcomers_is_let_in_up_to_a_bound() -> None:
    guard, handlers = Guard(open_per_address=2), made(20)
    let_in = [guard.arrive(handler, "a", 0.5) for handler in handlers]
    assert sum(let_in) == 16
    assert guard.turned_away == 4
    assert not any(handler.closed for handler in handlers)


def test_a_connection_that_is_being_answered_is_not_closed_for_others() -> None:
    guard, idle, newcomer = Guard(open_per_address=3), *made(2)
    busy = [cast(GuardedHandler, Handler(idle=False)) for _ in range(2)]
    for handler in (*busy, idle):
        guard.arrive(handler, "a", 0.0)
    assert guard.arrive(newcomer, "a", 10.0)
    assert idle.closed
    assert not any(cast(Any, handler).closed for handler in busy)
    assert guard.arrive(made(1)[0], "a", 10.5)
    assert guard.evicted == 1


def test_addresses_do_not_share_a_limit() -> None:
    guard, handlers = Guard(open_per_address=1), made(5)
    assert all(guard.arrive(handler, str(n), 0.0) for n, handler in enumerate(handlers))
    assert guard.evicted == 0


def test_a_proved_connection_no_longer_counts_and_is_never_closed_for_others() -> None:
    guard, handlers = Guard(open_per_address=1), made(3)
    for at, handler in enumerate(handlers):
        guard.arrive(handler, "a", at * 10.0)
        guard.leave(handler, "a")
        guard.leave(handler, "a")
    assert guard.unproved == 0
    assert not any(handler.closed for handler in handlers)
