"""Who runs what: callbacks and sockets belong to the process in whose context they were made, so that it can be killed as a whole."""

from __future__ import annotations

import contextvars


class Process:
    """What is killed together. `is_dead`: nothing of it runs any more."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False

    def context(self) -> contextvars.Context:
        """To start something in it."""
        context = contextvars.copy_context()
        context.run(PROCESS.set, self)
        return context


PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


def process_of(context: contextvars.Context) -> Process | None:
    """Whose context it is; None = the world's."""
    return context.get(PROCESS)
