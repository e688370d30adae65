"""A connector's user calls ``meter.connector.api_*`` and nothing else.

Models without access rules for a group are still readable by everybody in a few places of Odoo, and many public methods
need no record at all, so access rights alone do not lock such a user in. The gate stands where calls enter:

* XML-RPC and JSON-RPC (``/xmlrpc``, ``/jsonrpc``): ``odoo.service.model.call_kw``, which has no other hook.
* everything over HTTP with a user, JSON-2 and web sessions included: ``ir.http._pre_dispatch``.
* logging in: ``res.users._check_credentials`` refuses sessions, so only an API key gets as far as the gate.
"""

import functools
import logging

from odoo.exceptions import AccessError
from odoo.service import model as service_model

_logger = logging.getLogger(__name__)

FACE_MODEL = "meter.connector"
FACE_METHODS = frozenset(("api_hello", "api_config", "api_ingest", "api_events", "api_orders", "api_report"))
JSON2_ROUTE = "/json/2/<__model__>/<__method__>"


def check_call(model_name, method_name):
    """Refuse everything that is not the face."""
    if model_name != FACE_MODEL or method_name not in FACE_METHODS:
        _logger.warning("connector's user refused: %s.%s", model_name, method_name)
        raise AccessError("A connector's user can call meter.connector.api_* and nothing else.")


def check_route(routing, args):
    """Same for a route with its arguments."""
    if JSON2_ROUTE not in routing["routes"]:
        _logger.warning("connector's user refused: route %s", routing["routes"])
        raise AccessError("A connector's user can call meter.connector.api_* and nothing else.")
    check_call(args.get("__model__"), args.get("__method__"))


def install():
    """Put the gate in front of ``call_kw``, once a process; databases without this addon do not notice it."""
    original = service_model.call_kw
    if getattr(original, "is_connector_gate", False):
        return

    @functools.wraps(original)
    def call_kw(model, name, args, kwargs):
        users = model.env.get("res.users")
        if hasattr(users, "_is_connector") and model.env.user._is_connector():
            check_call(model._name, name)
            kwargs = {key: value for key, value in kwargs.items() if key != "context"}
        return original(model, name, args, kwargs)

    call_kw.is_connector_gate = True
    service_model.call_kw = call_kw
