"""Storage of readings: table ``meter_reading_data``, one partition a month, under the view ``meter_reading``.

A partitioned table as a model's own table makes every registry load complain, and a simple view is updatable in
PostgreSQL, so the view is the model's table (docs/adr/readings-partition-view.md). Readings are facts: the database
itself refuses to change or delete them. Detaching a month for the archive is fine.
"""

from datetime import datetime

from dateutil.relativedelta import relativedelta
from odoo import api, fields, models
from odoo.addons.property_utility.tools import protect_table
from odoo.tools import SQL

#: Months kept ready around today: late readings have a place, and a stopped timer is no disaster.
MONTHS_BEHIND = 2
MONTHS_AHEAD = 3
DEFAULT_PARTITION = "meter_reading_data_default"

TABLE_SQL = """
CREATE SEQUENCE IF NOT EXISTS meter_reading_id_seq;
CREATE TABLE IF NOT EXISTS meter_reading_data (
    id bigint NOT NULL DEFAULT nextval('meter_reading_id_seq'),
    circuit_id integer NOT NULL,
    at timestamp NOT NULL,
    total numeric, t1 numeric, t2 numeric, t3 numeric, t4 numeric,
    voltage_v numeric, current_a numeric, power_kw numeric, power_factor numeric,
    switch varchar, source varchar NOT NULL DEFAULT 'scheduled', extras text,
    received_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
    CONSTRAINT meter_reading_data_key UNIQUE (circuit_id, at)
) PARTITION BY RANGE (at);
CREATE INDEX IF NOT EXISTS meter_reading_data_id_idx ON meter_reading_data (id);
CREATE INDEX IF NOT EXISTS meter_reading_data_at_idx ON meter_reading_data USING brin (at);
"""

VIEW_SQL = """
CREATE OR REPLACE VIEW meter_reading AS
SELECT id, circuit_id, at, total, t1, t2, t3, t4, voltage_v, current_a, power_kw, power_factor,
       switch, source, extras, received_at
  FROM meter_reading_data
"""


class MeterReading(models.Model):
    _inherit = "meter.reading"

    def init(self):
        self.env.cr.execute(TABLE_SQL)
        protect_table(self.env.cr, "meter_reading_data")
        self.env.cr.execute(VIEW_SQL)
        self._create_default_partition()
        self._create_partitions()

    @api.model
    def _create_default_partition(self):
        self.env.cr.execute(
            SQL(
                "CREATE TABLE IF NOT EXISTS %s PARTITION OF meter_reading_data DEFAULT",
                SQL.identifier(DEFAULT_PARTITION),
            )
        )
        protect_table(self.env.cr, DEFAULT_PARTITION)

    @api.model
    def _create_partitions(self, today=None):
        """Make sure that the months around ``today`` have their partition; returns the names of new ones."""
        first = (today or fields.Date.today()).replace(day=1)
        months = [first + relativedelta(months=offset) for offset in range(-MONTHS_BEHIND, MONTHS_AHEAD + 1)]
        return [name for month in months if (name := self._create_partition(month))]

    @api.model
    def _create_partition(self, month):
        """Partition of one month, unless it exists; returns its name when it was made.

        A month that already has rows in the default partition is left to ``_heal_default_partition``.
        """
        name = f"meter_reading_data_{month:%Y_%m}"
        start = datetime(month.year, month.month, 1)
        end = start + relativedelta(months=1)
        if self._table_exists(name) or self._has_default_rows(start, end):
            return None
        self.env.cr.execute(
            SQL(
                "CREATE TABLE %s PARTITION OF meter_reading_data FOR VALUES FROM (%s) TO (%s)",
                SQL.identifier(name),
                start,
                end,
            )
        )
        protect_table(self.env.cr, name)  # row triggers are inherited, those against TRUNCATE are not
        return name

    @api.model
    def _table_exists(self, name):
        self.env.cr.execute("SELECT to_regclass(%s)", [name])
        return bool(self.env.cr.fetchone()[0])

    @api.model
    def _has_default_rows(self, start, end):
        self.env.cr.execute(
            SQL(
                "SELECT EXISTS (SELECT 1 FROM %s WHERE at >= %s AND at < %s)",
                SQL.identifier(DEFAULT_PARTITION),
                start,
                end,
            )
        )
        return self.env.cr.fetchone()[0]

    @api.model
    def _get_default_months(self):
        """Months that have readings in the default partition: [(first day, count)]."""
        self.env.cr.execute(
            SQL(
                "SELECT date_trunc('month', at)::date, count(*) FROM %s GROUP BY 1 ORDER BY 1",
                SQL.identifier(DEFAULT_PARTITION),
            )
        )
        return self.env.cr.fetchall()

    @api.model
    def _heal_default_partition(self):
        """Give readings of the default partition the months they belong to; returns how many were moved.

        Nothing is updated or deleted in the readings: the default partition is detached, a fresh one takes its
        place, the rows are inserted where they belong, and the old table is dropped when all have arrived.
        """
        months = self._get_default_months()
        if not months:
            return 0
        old = SQL.identifier("meter_reading_data_healing")
        default = SQL.identifier(DEFAULT_PARTITION)
        self.env.cr.execute(SQL("ALTER TABLE meter_reading_data DETACH PARTITION %s", default))
        self.env.cr.execute(SQL("ALTER TABLE %s RENAME TO %s", default, old))
        self._create_default_partition()
        for month, _count in months:
            self._create_partition(month)
        columns = SQL(
            "id, circuit_id, at, total, t1, t2, t3, t4, voltage_v, current_a, power_kw, power_factor,"
            " switch, source, extras, received_at"
        )
        self.env.cr.execute(
            SQL("INSERT INTO meter_reading_data (%(c)s) SELECT %(c)s FROM %(old)s", c=columns, old=old)
        )
        moved = self.env.cr.rowcount
        if moved != sum(count for _month, count in months):
            raise RuntimeError(f"{moved} of {sum(c for _m, c in months)} readings moved; nothing is changed")
        self.env.cr.execute(SQL("DROP TABLE %s", old))
        return moved

    @api.model
    def _cron_partitions(self):
        """Months ahead are made before they are needed; readings outside them raise an alarm."""
        self._create_partitions()
        months = self._get_default_months()
        alarm = self.env["meter.alarm"]
        if not months:
            alarm._resolve("default_partition", None)
            return
        shown = ", ".join(f"{month:%Y-%m}: {count}" for month, count in months)
        message = self.env._("Readings lie outside the monthly tables (%s). Give them their months.", shown)
        alarm._open("default_partition", None, message)
