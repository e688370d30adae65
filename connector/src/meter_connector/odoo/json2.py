"""Odoo's JSON-2: POST /json/2/meter.connector/<method> with a bearer key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import OdooAnswerError, OdooError
from .client import MODEL, Channel, OdooSettings, ThreadedClient
from .faults import error_of_name, error_of_status
from .http import Answer, HttpConnection
from .payload import carry


class Json2Client(ThreadedClient):
    """See ThreadedClient."""

    def open_channel(self) -> Channel:
        """See ThreadedClient."""
        return Json2Channel(self.settings)


class Json2Channel:
    """One connection."""

    def __init__(self, settings: OdooSettings) -> None:
        self.settings = settings
        self.http = HttpConnection(settings.url, settings.ca_file)
        self._headers = {
            "Authorization": f"bearer {settings.key}",
            "X-Odoo-Database": settings.database,
            "Content-Type": "application/json",
        }

    def call(self, method: str, payload: Mapping[str, Any], deadline: float) -> Any:
        """See Channel."""
        body = json.dumps({"payload": carry(payload, is_xml=False)}, ensure_ascii=False).encode()
        answer = self.http.post(f"/json/2/{MODEL}/{method}", body, self._headers, deadline)
        if answer.status != 200:
            raise self._refusal(answer)
        try:
            return json.loads(answer.body)
        except ValueError as error:
            raise OdooAnswerError(f"{self.settings.url}: not a JSON answer ({error})") from error

    def abort(self) -> None:
        """See Channel."""
        self.http.abort()

    def _refusal(self, answer: Answer) -> OdooError:
        try:
            body = json.loads(answer.body)
            name, message = str(body["name"]), str(body.get("message") or "")
        except (ValueError, KeyError, TypeError, AttributeError):
            return error_of_status(self.settings.url, answer.status, answer.body, answer.retry_after)
        return error_of_name(self.settings.url, answer.status, name, message)
