"""Odoo's XML-RPC: authenticate once on `/xmlrpc/2/common`, then execute_kw on `/xmlrpc/2/object`."""

from __future__ import annotations

import xml.parsers.expat
import xmlrpc.client
from collections.abc import Mapping
from typing import Any

from ..errors import OdooAnswerError, OdooAuthError
from .client import MODEL, Channel, OdooSettings, ThreadedClient
from .faults import error_of_fault, error_of_status
from .http import HttpConnection
from .payload import carry

HEADERS = {"Content-Type": "text/xml"}


class Session:
    """Our user's number at Odoo, learnt once and shared by all connections."""

    def __init__(self) -> None:
        self.uid = 0


class XmlRpcClient(ThreadedClient):
    """See ThreadedClient."""

    def __init__(self, settings: OdooSettings) -> None:
        super().__init__(settings)
        self.session = Session()

    def open_channel(self) -> Channel:
        """See ThreadedClient."""
        return XmlRpcChannel(self.settings, self.session)


class XmlRpcChannel:
    """One connection."""

    def __init__(self, settings: OdooSettings, session: Session) -> None:
        self.settings = settings
        self.session = session
        self.http = HttpConnection(settings.url, settings.ca_file)

    def call(self, method: str, payload: Mapping[str, Any], deadline: float) -> Any:
        """See Channel."""
        uid = self._user(deadline)
        who = (self.settings.database, uid, self.settings.key)
        try:
            return self._request(
                "object", "execute_kw", (*who, MODEL, method, [carry(payload, is_xml=True)]), deadline
            )
        except OdooAuthError:
            self.session.uid = 0  # the user may have been made anew
            raise

    def abort(self) -> None:
        """See Channel."""
        self.http.abort()

    def _user(self, deadline: float) -> int:
        # Two connections may ask at the same time: harmless, and no lock is held over the network.
        if not self.session.uid:
            settings = self.settings
            answer = self._request(
                "common", "authenticate", (settings.database, settings.login, settings.key, {}), deadline
            )
            if not answer or not isinstance(answer, int):
                raise OdooAuthError(
                    f"{settings.url}: user {settings.login!r} or its key refused for database {settings.database!r}"
                )
            self.session.uid = answer
        return self.session.uid

    def _request(self, service: str, method: str, params: tuple[Any, ...], deadline: float) -> Any:
        body = xmlrpc.client.dumps(params, method).encode()
        answer = self.http.post(f"/xmlrpc/2/{service}", body, HEADERS, deadline)
        if answer.status != 200:
            raise error_of_status(self.settings.url, answer.status, answer.body, answer.retry_after)
        try:
            values, _ = xmlrpc.client.loads(answer.body.decode(), use_builtin_types=True)
        except xmlrpc.client.Fault as fault:
            raise error_of_fault(self.settings.url, fault.faultCode, fault.faultString) from None
        except (
            xml.parsers.expat.ExpatError,
            xmlrpc.client.Error,
            ValueError,
            TypeError,
            LookupError,
        ) as error:
            raise OdooAnswerError(f"{self.settings.url}: not an XML-RPC answer ({error})") from error
        if len(values) != 1:
            raise OdooAnswerError(f"{self.settings.url}: not an XML-RPC answer ({len(values)} values)")
        return values[0]
