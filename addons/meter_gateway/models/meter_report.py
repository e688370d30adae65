import json
import logging
import math
from datetime import UTC, datetime

from odoo import api, fields, models
from psycopg2 import OperationalError

from ..const import FUTURE_TOLERANCE_S, MAX_ORDER_DATA, REPORTED_KEYS, SWITCH_ORDER_KINDS

#: What a connector may say about an order.
RESULT_STATES = ("received", "accepted", "confirmed", "failed", "expired", "superseded")
OK = ("accepted", "")
STUMBLED = ("retry", "Odoo stumbled over it; its log says why")

_logger = logging.getLogger(__name__)


class MeterReport(models.AbstractModel):
    """What connectors say about orders: the state machine at work. Nothing in a result raises."""

    _name = "meter.report"
    _description = "Results of Orders"

    @api.model
    def _report(self, connector_id, results):
        """Apply results of a connector; answers as ``meter.connector.api_report``."""
        orders = self._get_orders(connector_id, results)
        orders.switch_id._lock()
        exceptions, changed = [], self.env["meter.switch"]
        for index, result in enumerate(results):
            (verdict, reason), news = self._try_apply(orders, result)
            changed |= news
            if verdict != "accepted":
                exceptions.append([index, verdict, reason])
        if changed:
            changed._note_changed()
        if orders.switch_id:
            self.env["meter.switch"]._reconcile_circuits(connector_id, orders.switch_id.circuit_id.ids)
        return {"accepted": len(results) - len(exceptions), "exceptions": exceptions}

    @api.model
    def _get_orders(self, connector_id, results):
        ids = {
            result["order_id"]
            for result in results
            if isinstance(result, dict) and _is_id(result.get("order_id"))
        }
        domain = [("id", "in", list(ids)), ("connector_id", "=", connector_id)]
        return self.env["meter.order"].search(domain)

    @api.model
    def _try_apply(self, orders, result):
        """As ``_apply``; a result that Odoo stumbles over holds up no other one, and comes again."""
        try:
            with self.env.cr.savepoint():
                return self._apply(orders, result)
        except OperationalError:
            raise  # another writer: the whole call is tried again
        except Exception:
            _logger.exception("A result of an order could not be taken: %.300r", result)
            return STUMBLED, self.env["meter.switch"]

    @api.model
    def _apply(self, orders, result):
        """((verdict, reason), switches whose reported state is news) of one result."""
        nothing = self.env["meter.switch"]
        if not isinstance(result, dict) or not _is_id(result.get("order_id")):
            return ("rejected", "order_id: missing or not an id"), nothing
        order = orders.filtered(lambda order: order.id == result["order_id"])
        if not order:
            return ("rejected", "unknown order"), nothing
        if result.get("generation") != order.generation:
            return (
                "rejected",
                f"generation {result.get('generation')!r:.20} is not {order.generation}",
            ), nothing
        at = _read_time(result.get("at"))
        if at is None:
            return ("rejected", "at: not a time in seconds"), nothing
        if (at - fields.Datetime.now()).total_seconds() > FUTURE_TOLERANCE_S:
            return ("retry", f"at: more than {FUTURE_TOLERANCE_S} s ahead of the server's clock"), nothing
        if result.get("state") not in RESULT_STATES:
            return (
                "rejected",
                f"state: {result.get('state')!r:.40} is not one of {', '.join(RESULT_STATES)}",
            ), nothing
        reported = result.get("reported") or "unknown"
        if reported not in REPORTED_KEYS:
            return ("rejected", f"reported: {reported!r:.40} is not a switch state"), nothing
        data = _read_data(result.get("data"))
        if data is None:
            return ("rejected", "data: not a JSON object as text"), nothing
        news = self._note_reported(order, reported, at)
        detail = str(result.get("detail") or "")[:200]
        answer = self._move(order, result["state"], reported, at, detail, data)
        return answer, news

    @api.model
    def _note_reported(self, order, reported, at):
        """What was read back is a fact, even of an order that no longer counts."""
        switch = order.switch_id
        if switch and reported != "unknown" and switch._note_reported(reported, at, order.generation):
            return switch
        return self.env["meter.switch"]

    @api.model
    def _move(self, order, state, reported, at, detail, data):
        if state == order.state:
            return self._note_progress(order, state, at, data)
        if order.kind in SWITCH_ORDER_KINDS and state == "confirmed":
            wanted = order.kind.removeprefix("switch_")
            if reported in ("unknown", "pending"):
                return ("rejected", "confirmed needs the state that was read back")
            if reported != wanted:
                state, detail = "failed", detail or f"read back {reported}"
        if state in ("received", "accepted"):
            is_moved = order._move(state, **{f"{state}_at": at})
        else:
            is_moved = order._finish(state, detail, at)
        if not is_moved:
            return ("rejected", f"the order is {order.state}; it cannot become {state}")
        if data:
            order.result_data = json.dumps(data, ensure_ascii=False)
        order._follow(state, data, at)
        if state in ("failed", "expired") and order.switch_id.generation == order.generation:
            order.switch_id._note_failure(order.result_text)
        return OK

    @api.model
    def _note_progress(self, order, state, at, data):
        """``accepted`` said again with new data is progress (a search on a bus); anything else is a repetition."""
        text = json.dumps(data, ensure_ascii=False)
        if state != "accepted" or not data or text == order.result_data or at < order.accepted_at:
            return ("duplicate", "")
        order.write({"accepted_at": at, "result_data": text})
        order._follow(state, data, at)
        return OK


def _read_data(value):
    """A result's data as a dict; {} when there is none, None when it is not what it should be."""
    if not value:
        return {}
    if not isinstance(value, str) or len(value) > MAX_ORDER_DATA or "\x00" in value or "\\u0000" in value:
        return None
    try:
        data = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _is_id(value):
    return type(value) is int and 0 < value < 2**31


def _read_time(value):
    """Epoch seconds as naive UTC; None when it is none."""
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 < value < 1e11:
        return None
    return datetime.fromtimestamp(value, UTC).replace(tzinfo=None)
