"""An engine that does nothing: commands are written down, events are those a test gives it."""

import os
from typing import Any


class NotedEngine:
    """The engine's face; remembers commands, has the events it is given."""

    def __init__(self, *, udp_ports: list[int], **rest: Any) -> None:
        self.udp_ports = [4000 + n for n in range(len(udp_ports))]
        self.tcp_port = None
        self.fingerprint = ":".join(["AB"] * 32)
        self.commands: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.events: list[tuple[Any, ...]] = []
        #: never readable
        self.event_fd, self._other = os.pipe()

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: self.commands.append((name, args, kwargs))

    def drain(self) -> list[tuple[Any, ...]]:
        events, self.events = self.events, []
        return events

    def metrics(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        os.close(self.event_fd)
        os.close(self._other)

    def of(self, name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        return [(args, kwargs) for command, args, kwargs in self.commands if command == name]
