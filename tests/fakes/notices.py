"""Notices to the merchant: a queue in time, the retry schedule, and what happened to each attempt."""

import heapq
import http.client
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .faults import Faults

_logger = logging.getLogger(__name__)

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
LONGEST_ANSWER = 64 * 1024
REORDER_S = 0.2


@dataclass
class Packet:
    """One HTTP request."""

    url: str
    headers: dict[str, str]
    body: bytes

    def as_dict(self) -> dict:
        return {"url": self.url, "headers": self.headers, "body": self.body.decode()}


@dataclass
class Message:
    """What is to be told. `build_body(faults)` -> (headers, body): each attempt is signed anew."""

    url: str
    subject: str  # "<event> <number>"
    build_body: Callable[[dict], tuple[dict, bytes]]
    attempts: list[dict] = field(default_factory=list)
    is_done: bool = False

    def build(self, faults: dict) -> Packet:
        headers, body = self.build_body(faults)
        return Packet(self.url, headers, body)


class Notices:
    def __init__(self, retries_s, *, scale, timeout_s, faults: Faults, is_acknowledged, allowed_hosts):
        self._retries = [seconds * scale for seconds in retries_s]
        self._timeout = timeout_s
        self._faults = faults
        self._is_acknowledged = is_acknowledged
        self._hosts = LOOPBACK | allowed_hosts
        self._queue: list = []
        self._count = itertools.count()
        self._held: list[Message] = []
        self._messages: list[Message] = []
        self._wake = threading.Condition()
        self._is_stopped = False
        threading.Thread(target=self._run, daemon=True).start()

    def send(self, message: Message) -> None:
        with self._wake:
            self._messages.append(message)
        self.call_later(0, lambda: self._attempt(message))

    def send_now(self, message: Message, faults: dict) -> dict:
        """One attempt without retries: {"status", "body"} or {"error"}."""
        return self._post(message.build(faults))

    def call_later(self, seconds: float, work: Callable[[], object]) -> None:
        with self._wake:
            heapq.heappush(self._queue, (time.monotonic() + seconds, next(self._count), work))
            self._wake.notify()

    def describe(self) -> list[dict]:
        with self._wake:
            return [
                {"subject": message.subject, "url": message.url, "done": message.is_done}
                | {"attempts": list(message.attempts)}
                for message in self._messages
            ]

    def stop(self) -> None:
        with self._wake:
            self._is_stopped = True
            self._wake.notify()

    # --- the thread -------------------------------------------------------------------------------------------

    def _run(self):
        while True:
            with self._wake:
                if self._is_stopped:
                    return
                if not self._queue:
                    self._wake.wait()
                    continue
                wait = self._queue[0][0] - time.monotonic()
                if wait > 0:
                    self._wake.wait(wait)
                    continue
                work = heapq.heappop(self._queue)[2]
            threading.Thread(target=work, daemon=True).start()  # a slow merchant holds up nobody else

    def _attempt(self, message: Message):
        faults = self._faults.take("notice", message.subject)
        if "delay" in faults:
            time.sleep(float(faults["delay"].get("seconds", 6)))
        if "reorder" in faults:
            with self._wake:
                self._held.append(message)
            return
        results = self._send_copies(message, faults)
        is_done = any(result.get("is_acknowledged") for result in results)
        with self._wake:
            message.attempts += results
            message.is_done = message.is_done or is_done
            tries = len(message.attempts)
            held, self._held = self._held, []
        for other in held:
            self.call_later(REORDER_S, lambda other=other: self._attempt(other))
        if not message.is_done and tries <= len(self._retries):
            self.call_later(self._retries[tries - 1], lambda: self._attempt(message))

    def _send_copies(self, message, faults):
        if "drop" in faults:
            return [{"error": "dropped"}]
        results: list[dict] = []
        copies = int(faults.get("duplicate", {}).get("copies", 2)) if "duplicate" in faults else 1
        packet = message.build(faults)
        threads = [
            threading.Thread(target=lambda: results.append(self._post(packet)), daemon=True)
            for _copy in range(copies)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    def _post(self, packet: Packet) -> dict:
        """{"status", "body", "is_acknowledged"} or {"error"}. Follows nothing, trusts nothing, leaves this machine
        only where it was allowed to."""
        parts = urlsplit(packet.url)
        if parts.scheme not in ("http", "https") or parts.hostname not in self._hosts:
            return {"error": "not a host of this machine"}
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname, parts.port, timeout=self._timeout)
        try:
            target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
            connection.request("POST", target, packet.body, packet.headers)
            response = connection.getresponse()
            body = response.read(LONGEST_ANSWER)
        except (OSError, http.client.HTTPException) as error:
            return {"error": type(error).__name__}
        finally:
            connection.close()
        is_acknowledged = self._is_acknowledged(response.status, body)
        return {
            "status": response.status,
            "body": body.decode("utf-8", "replace"),
            "is_acknowledged": is_acknowledged,
        }
