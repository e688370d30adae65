"""How the story looks into the product: as users over XML-RPC, into the meters, into the database."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg2
import psycopg2.extras
import requests
from stack import postgres

TIMEOUT_S = 30


class OdooUser:
    """One signed-in Odoo user, over the same XML-RPC that anybody can use."""

    def __init__(self, url: Callable[[], str], database: str, login: str, password: str):
        self._url = url
        self.database, self.login, self.password = database, login, password
        self._uid: int | None = None

    def _proxy(self, name: str) -> Any:
        return xmlrpc.client.ServerProxy(f"{self._url()}/xmlrpc/2/{name}", allow_none=True)

    @property
    def uid(self) -> int:
        if self._uid is None:
            self._uid = self._proxy("common").authenticate(self.database, self.login, self.password, {})
            assert self._uid, f"{self.login} cannot sign in"
        return self._uid

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._proxy("object").execute_kw(
            self.database, self.uid, self.password, model, method, list(args), kwargs
        )


class Meters:
    """The simulated site's control channel: the truth about every meter, and faults on command."""

    def __init__(self, url: Callable[[], str]):
        self._url = url

    def get(self, path: str) -> Any:
        answer = requests.get(self._url() + path, timeout=TIMEOUT_S)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, **content: Any) -> Any:
        answer = requests.post(self._url() + path, json=content, timeout=TIMEOUT_S)
        assert answer.ok, answer.text
        return answer.json()

    def state(self, serial: str) -> dict[str, Any]:
        return self.get(f"/meters/{serial}")


class Database:
    """Read-only looks into PostgreSQL, for what must hold whatever the application says."""

    def __init__(self, name: str):
        self.name = name

    def rows(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        connection = psycopg2.connect(**postgres.server().dsn(self.name))
        try:
            connection.set_session(readonly=True, autocommit=True)
            with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute(sql, args or None)
                return [dict(row) for row in cursor.fetchall()]
        finally:
            connection.close()

    def value(self, sql: str, *args: Any) -> Any:
        found = self.rows(sql, *args)
        return next(iter(found[0].values())) if found else None

    def money(self, sql: str, *args: Any) -> Decimal:
        found = self.value(sql, *args)
        return Decimal(found if found is not None else 0)
