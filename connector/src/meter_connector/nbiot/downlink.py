"""Commands to NB-IoT meters through a program of the site: an adapter that knows its platform's interface for commands.

The platforms' own interfaces are not among our facts; this one is ours (docs/protocols/nbiot.md). One POST a command:

    {"imei": "86…", "frame": "FEFE68…16", "ttl_s": 3600}     Authorization: Bearer <token>

    2xx          the platform has the command and drops it after ttl_s
    400 … 499    it will not have it, the answer's text says why; but 401, 403, 408, 429 and all else: perhaps it has not
"""

from __future__ import annotations

from dataclasses import dataclass, field

import aiohttp

from ..errors import LinkError, MeterRefusedError

TIMEOUT_S = 10.0
MAX_ANSWER = 2048
SHOWN_TEXT = 120
NOT_ABOUT_THE_COMMAND = (401, 403, 408, 429)


@dataclass(frozen=True)
class DownlinkSettings:
    """Where the adapter listens; an empty url = there is none."""

    url: str = ""
    token: str = field(default="", repr=False)


class HttpDownlink:
    """See orders.Downlink."""

    def __init__(self, settings: DownlinkSettings, timeout_s: float = TIMEOUT_S) -> None:
        self.settings = settings
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    async def send(self, imei: str, frame: bytes, ttl_s: int) -> None:
        """Raises LinkError: perhaps the platform has it not; MeterRefusedError: it will not."""
        body = {"imei": imei, "frame": frame.hex().upper(), "ttl_s": ttl_s}
        headers = {"Authorization": f"Bearer {self.settings.token}"}
        try:
            async with (
                aiohttp.ClientSession(timeout=self._timeout) as session,
                session.post(
                    self.settings.url, json=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                status = response.status
                text = await response.content.read(MAX_ANSWER)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise LinkError(f"{self.settings.url}: {error or type(error).__name__}") from error
        if 200 <= status < 300:
            return
        said = " ".join(text.decode("utf-8", "replace").split())[:SHOWN_TEXT]
        if 400 <= status < 500 and status not in NOT_ABOUT_THE_COMMAND:
            raise MeterRefusedError(f"the platform refused the command: {status} {said}")
        raise LinkError(f"{self.settings.url}: {status} {said}")
