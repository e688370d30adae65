"""Is Odoo there? Shared by all loops, so that the first one that gets through wakes the others from their back-off."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from ..clock import Clock
from ..errors import OdooBusyError, OdooError, OdooUnreachableError

_logger = logging.getLogger(__name__)


class Contact:
    """Counts and remembers; logs only when it comes and goes, and when the kind of error changes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._restored = asyncio.Event()
        self._restored.set()
        self._shown: dict[str, str] = {}
        self.last_ok_at = 0.0
        self.calls_ok = 0
        self.calls_failed = 0
        self._problems: dict[str, str] = {}

    @property
    def is_up(self) -> bool:
        """Did the last word come through?"""
        return self._restored.is_set()

    @property
    def problem(self) -> str:
        """What does not work at present, empty when all does."""
        return next(iter(self._problems.values()), "")

    def ok(self, what: str) -> None:
        """A call got its answer."""
        self.calls_ok += 1
        self.last_ok_at = self._clock.now()
        self._shown.pop(what, None)
        self._problems.pop(what, None)
        if not self._restored.is_set():
            _logger.info("odoo_reached", extra={"call": what})
            self._restored.set()

    def failed(self, what: str, error: OdooError) -> None:
        """A call failed."""
        self.calls_failed += 1
        self._problems[what] = str(error)
        if is_outage(error):
            self._restored.clear()
        kind = type(error).__name__
        if self._shown.get(what) != kind:
            self._shown[what] = kind
            _logger.warning(
                "odoo_call_failed",
                extra={"call": what, "kind": kind, "error": str(error), "retry": error.retry.value},
            )

    async def pause(self, seconds: float, error: OdooError) -> None:
        """Wait before trying again; during an outage no longer than until somebody got through."""
        if is_outage(error) and not self.is_up:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._restored.wait()
        else:
            await asyncio.sleep(seconds)


def is_outage(error: OdooError) -> bool:
    """Concerns every call, not only this one."""
    return isinstance(error, OdooUnreachableError | OdooBusyError)
