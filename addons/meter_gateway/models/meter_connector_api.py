"""The RPC face between connectors and Odoo: all of it. Described in docs/rpc.md; a test compares the two.

Each method takes one dict and answers with one. The calling user is the connector's; whatever belongs to another
connector does not exist for it. What is wrong in data is answered per item and never raised; only a payload that is
not of the described shape raises UserError.
"""

import json
import math
import time
from datetime import UTC, datetime, timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from ..batch import BatchError
from ..const import DISK_CALM_SHARE, HELLO_S, ORDERS_POLL_S, PROTOCOL_VERSION, REDELIVER_AFTER_S

CONNECTOR_GROUP = "property_utility.property_utility_group_connector"

#: Whose user calls, in which language alarms are written, whether it is catching up.
CALLER_SQL = """
SELECT c.id, p.lang, c.backlog_at FROM meter_connector c
  JOIN res_users u ON u.id = c.user_id JOIN res_partner p ON p.id = u.partner_id
 WHERE c.user_id = %s AND c.active
"""

#: Written when it moves by a minute: a catch-up sends several batches a second.
BACKLOG_SQL = """
UPDATE meter_connector SET backlog_at = %(since)s, backlog_moved_at = %(now)s
 WHERE id = %(id)s AND ((backlog_at IS NULL) <> (%(since)s::timestamp IS NULL)
                        OR backlog_at > %(since)s OR backlog_at < %(since)s::timestamp - interval '1 minute')
"""

#: One indexed query: who asks, its configuration version, its open orders (partial index meter_order_open_idx).
ORDERS_SQL = """
SELECT c.config_version, o.id, o.generation, o.kind, o.meter_id, o.circuit_id,
       extract(epoch FROM o.created)::float8, extract(epoch FROM o.expires_at)::float8, o.reason,
       o.bus_id, o.data
  FROM meter_connector c
  LEFT JOIN meter_order o ON o.connector_id = c.id AND o.state IN ('pending', 'received', 'accepted')
       AND (o.state = 'pending' OR (o.state = 'received' AND o.received_at < %(redeliver)s))
       AND (o.expires_at IS NULL OR o.expires_at > %(now)s)
 WHERE c.user_id = %(uid)s AND c.active
 ORDER BY o.id
"""


class MeterConnector(models.Model):
    _inherit = "meter.connector"

    # -- the face -----------------------------------------------------------------------------------

    @api.model
    def api_hello(self, payload):
        """I am here, and this is how I am. Every ``hello_s`` seconds."""
        connector = self._get_caller(payload)
        protocol = payload.get("protocol")
        if protocol != PROTOCOL_VERSION:
            raise UserError(
                f"protocol {protocol!r:.20} is not spoken here; this is protocol {PROTOCOL_VERSION}"
            )
        status = payload.get("status") if isinstance(payload.get("status"), dict) else {}
        connector._note_hello(payload, status)
        return {
            "server_time": time.time(),
            "connector": {"id": connector.id, "code": connector.code, "name": connector.name},
            "config_version": connector.config_version,
            "orders_poll_s": ORDERS_POLL_S,
            "hello_s": HELLO_S,
        }

    @api.model
    def api_config(self, payload):
        """The configuration, unless ``since`` is the newest version already."""
        connector = self._get_caller(payload)
        if payload.get("since") == connector.config_version:
            return {"version": connector.config_version, "unchanged": True}
        return connector._prepare_config()

    @api.model
    def api_ingest(self, payload):
        """Readings as columns; what is not among the exceptions is stored."""
        connector, backlog_at = self._find_caller(payload)
        waiting_from = _to_datetime(payload.get("waiting_from"))
        if waiting_from != backlog_at:
            connector._note_backlog(waiting_from)
        try:
            return (
                self.env["meter.ingest"].sudo()._ingest(connector.id, payload)
            )  # the caller has no rights on models
        except BatchError as error:
            raise UserError(str(error)) from error

    @api.model
    def api_events(self, payload):
        """What was noticed, each thing once."""
        connector = self._get_caller(payload)
        return connector.env["meter.event"]._record(connector, _read_list(payload, "events"))

    @api.model
    def api_orders(self, payload):
        """Orders not yet taken, and those taken but not spoken of for a minute. Asked every second."""
        known = {
            tuple(pair)
            for pair in _read_list(payload, "known")
            if isinstance(pair, list | tuple) and len(pair) == 2
        }
        now = fields.Datetime.now()
        self._check_caller_group()
        self.env.flush_all()
        self.env.cr.execute(
            ORDERS_SQL,
            {"uid": self.env.uid, "now": now, "redeliver": now - timedelta(seconds=REDELIVER_AFTER_S)},
        )
        rows = self.env.cr.fetchall()
        if not rows:
            raise AccessError(self.env._("This user belongs to no connector."))
        orders = [_prepare_order(row) for row in rows if row[1] and (row[1], row[2]) not in known]
        return {"orders": orders, "server_time": time.time(), "config_version": rows[0][0]}

    @api.model
    def api_report(self, payload):
        """How far orders came, and what was read back."""
        connector = self._get_caller(payload)
        return connector.env["meter.report"]._report(connector.id, _read_list(payload, "results"))

    # -- behind it ----------------------------------------------------------------------------------

    @api.model
    def _check_caller_group(self):
        if not self.env.user.has_group(CONNECTOR_GROUP):
            raise AccessError(self.env._("Only connectors call this."))

    @api.model
    def _get_caller(self, payload):
        """The connector of the calling user, with rights on the models behind the face."""
        return self._find_caller(payload)[0]

    @api.model
    def _find_caller(self, payload):
        """(connector as above, its ``backlog_at``): the hot path asks nothing twice."""
        if not isinstance(payload, dict):
            raise UserError("the payload must be one object")
        self._check_caller_group()
        self.env.cr.execute(CALLER_SQL, [self.env.uid])
        row = self.env.cr.fetchone()
        if not row:
            raise AccessError(self.env._("This user belongs to no connector."))
        connector_id, lang, backlog_at = row
        # behind the face the caller's own rights, which are none, do not count
        return self.sudo().with_context(lang=lang).browse(connector_id), backlog_at

    def _note_hello(self, payload, status):
        """Keep what the connector says about itself; gateways, buses and silent meters follow."""
        self.ensure_one()
        now = fields.Datetime.now()
        was_away = self.state != "online"
        outbox = status.get("outbox") if isinstance(status.get("outbox"), dict) else {}
        self.env.cr.execute(
            """UPDATE meter_connector SET last_seen_at = %s, software_version = %s, started_at = %s, status_json = %s,
                      outbox_readings = %s, outbox_oldest_at = %s, outbox_share = %s, outbox_mb_a_day = %s,
                      outbox_days_left = %s, outbox_events_dropped = %s
                WHERE id = %s""",
            [
                now,
                str(payload.get("version") or "")[:60],
                _to_datetime(payload.get("started_at")),
                json.dumps(status, ensure_ascii=False, default=str).replace("\\u0000", "")[:200000],
                _to_int(outbox.get("readings")),
                _to_datetime(outbox.get("oldest_at")),
                _to_float(outbox.get("share")) * 100,
                _to_float(outbox.get("bytes_a_day")) / 1e6,
                _to_float(outbox.get("days_left")),
                _to_int(outbox.get("events_dropped")),
                self.id,
            ],
        )
        self.invalidate_recordset()
        self._note_downlink(status)
        if was_away:
            self.env["meter.alarm"]._resolve("connector_offline", self, at=now)
        if "share" in outbox and _to_float(outbox["share"]) < DISK_CALM_SHARE:
            self.env["meter.alarm"]._resolve("disk_filling", self, at=now)
        self._note_gateways(_read_rows(status, "gateways"), now)
        self._note_buses(_read_rows(status, "buses"))
        silent = [meter_id for meter_id in status.get("meters_silent") or [] if type(meter_id) is int]
        if silent:
            domain = [("id", "in", silent), ("connector_id", "=", self.id), ("state", "=", "online")]
            self.env["meter.meter"].search(domain)._set_offline(now)

    def _note_backlog(self, since):
        """Older readings wait in the connector since then (None: no longer). In the transaction of the readings that
        came before them, so that nobody sees these without knowing it."""
        self.env.cr.execute(BACKLOG_SQL, {"id": self.id, "since": since, "now": fields.Datetime.now()})
        if self.env.cr.rowcount:
            self.invalidate_recordset(["backlog_at", "backlog_moved_at"])

    def _note_gateways(self, rows, now):
        """Online or not, as the connector sees its gateways."""
        said = {
            row["id"]: row
            for row in rows
            if type(row.get("id")) is int and isinstance(row.get("online"), bool)
        }
        gateways = self.gateway_ids.filtered(lambda gateway: gateway.id in said)
        for state, wanted in (("online", True), ("offline", False)):
            for gateway in gateways.filtered(
                lambda g, w=wanted, s=state: said[g.id]["online"] is w and g.state != s
            ):
                gateway._set_state(state, _to_datetime(said[gateway.id].get("since")) or now)
        online = [gateway.id for gateway in gateways if said[gateway.id]["online"]]
        self.env.flush_all()
        self.env.cr.execute("UPDATE meter_gateway SET last_seen_at = %s WHERE id = ANY(%s)", [now, online])
        self.env.cr.execute(
            """UPDATE meter_gateway g SET takeover_count = x.count FROM unnest(%s::int[], %s::int[]) AS x(id, count)
                WHERE g.id = x.id AND g.takeover_count IS DISTINCT FROM x.count""",
            [gateways.ids, [_to_int(said[gateway.id].get("replaced")) for gateway in gateways]],
        )
        gateways.invalidate_recordset(["last_seen_at", "takeover_count"])

    def _note_buses(self, rows):
        """Queues and counters of the buses."""
        names = ("id", "queue", "reads_ok", "reads_failed", "dropped_bytes")
        columns = {name: [_to_int(row.get(name)) for row in rows] for name in names}
        columns["age_s"] = [_to_float(row.get("age_s")) for row in rows]
        self.env.cr.execute(
            """UPDATE meter_bus b SET queue_length = x.queue, data_age_s = x.age_s, reads_ok = x.reads_ok,
                      reads_failed = x.reads_failed, dropped_bytes = x.dropped_bytes
                 FROM unnest(%(id)s::int[], %(queue)s::int[], %(age_s)s::float8[], %(reads_ok)s::int[],
                             %(reads_failed)s::int[], %(dropped_bytes)s::int[])
                      AS x(id, queue, age_s, reads_ok, reads_failed, dropped_bytes)
                WHERE b.id = x.id AND b.connector_id = %(connector_id)s""",
            columns | {"connector_id": self.id},
        )
        self.env["meter.bus"].invalidate_model()

    @api.model
    def _cron_find_silent(self):
        """Connectors that stopped speaking, and meters that stopped being read."""
        for connector in self.search([("state", "=", "offline")]):
            message = self.env._("Connector %s does not answer; its meters are not read.", connector.name)
            self.env["meter.alarm"]._open("connector_offline", connector, message)
            connector.gateway_ids.filtered(lambda gateway: gateway.state == "online").state = "unknown"
        self.env["meter.meter"]._cron_find_silent()


def _prepare_order(row):
    _version, order_id, generation, kind, meter_id, circuit_id, created, expires, reason, bus_id, data = row
    return {
        "id": order_id,
        "generation": generation or 0,
        "kind": kind,
        "meter_id": meter_id or 0,
        "circuit_id": circuit_id or 0,
        "bus_id": bus_id or 0,
        "created_at": created,
        "expires_at": expires or 0,
        "reason": reason or "",
        "data": data or "",
    }


def _read_list(payload, key):
    if not isinstance(payload, dict):
        raise UserError("the payload must be one object")
    values = payload.get(key) or []
    if not isinstance(values, list | tuple):
        raise UserError(f"{key} must be a list")
    return values


def _read_rows(status, key):
    values = status.get(key)
    return [row for row in values if isinstance(row, dict)] if isinstance(values, list | tuple) else []


def _to_int(value):
    return int(min(max(value, 0), 2**31 - 1)) if type(value) in (int, float) and value == value else 0


def _to_float(value):
    return float(value) if type(value) in (int, float) and math.isfinite(value) else 0.0


def _to_datetime(epoch):
    if type(epoch) not in (int, float) or not 0 < epoch < 1e11:
        return None
    return datetime.fromtimestamp(epoch, UTC).replace(tzinfo=None, microsecond=0)
