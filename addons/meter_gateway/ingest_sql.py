"""The statements of the ingest. Parameters: ``batch.to_parameters`` plus ``connector_id``.

Columns travel as one text each, so that neither psycopg2 nor this process touches values one by one.
"""

from .const import LIVE_COLUMNS, TOTAL_COLUMNS

_TEXTS = (*TOTAL_COLUMNS, *LIVE_COLUMNS)
_VALUES = ", ".join(_TEXTS)
_DATA = f"circuit_id, at, {_VALUES}, switch, source, extras"

_ARRAYS = ", ".join("string_to_array(%(" + name + ")s, E'\\n', '')::numeric[]" for name in _TEXTS)

#: The rows of a batch.
INPUT = f"""
    SELECT idx, circuit_id, to_timestamp(at) AT TIME ZONE 'utc' AS at, {_VALUES},
           switch, COALESCE(source, 'scheduled') AS source, extras
      FROM unnest(
        %(idx)s::int[], %(circuit_id)s::int[], %(at)s::float8[],
        {_ARRAYS},
        string_to_array(%(switch)s, E'\\n', ''), string_to_array(%(source)s, E'\\n', ''), %(extras)s::text[]
      ) AS x(idx, circuit_id, at, {_VALUES}, switch, source, extras)
"""


def _newest(name):
    """The newest value there is in the batch; rows come newest first."""
    return f"(array_agg({name}) FILTER (WHERE {name} IS NOT NULL))[1] AS {name}"


def _keep_newer(name, clock):
    """A late reading must not overwrite a newer value; a missing value never does."""
    return (
        f"{name} = CASE WHEN EXCLUDED.{clock} >= COALESCE(l.{clock}, '-infinity')"
        f" THEN COALESCE(EXCLUDED.{name}, l.{name}) ELSE l.{name} END"
    )


_CLOCKS = {"at": (*LIVE_COLUMNS, "extras"), "total_at": TOTAL_COLUMNS, "switch_at": ("switch",)}
_LIVE = f"at, total_at, switch_at, {_VALUES}, switch, extras"
_LIVE_UPDATES = ", ".join(
    [_keep_newer(name, clock) for clock, names in _CLOCKS.items() for name in names]
    + [f"{clock} = GREATEST(l.{clock}, EXCLUDED.{clock})" for clock in _CLOCKS]
)

_FIRST = ", ".join(f"first_{name}" for name in TOTAL_COLUMNS)
_TOTALS = ", ".join(TOTAL_COLUMNS)
_FIRST_UPDATES = ", ".join(f"first_{name} = EXCLUDED.first_{name}" for name in ("at", *TOTAL_COLUMNS))


def _open_periods(period, source, start):
    """Rows of periods that begin with a reading of this batch. The anti-join keeps the usual case free of writes."""
    return f"""
    INSERT INTO meter_energy_{period}_data AS p (circuit_id, {period}, first_at, {_FIRST})
    SELECT circuit_id, start, at, {_TOTALS}
      FROM (SELECT DISTINCT ON (circuit_id, start) *
              FROM (SELECT *, {start} AS start FROM {source}) dated
          ORDER BY circuit_id, start, at) first
     WHERE NOT EXISTS (SELECT 1 FROM meter_energy_{period}_data d
                        WHERE d.circuit_id = first.circuit_id AND d.{period} = first.start AND d.first_at <= first.at)
    ON CONFLICT (circuit_id, {period}) DO UPDATE SET {_FIRST_UPDATES} WHERE EXCLUDED.first_at < p.first_at
    """


_LOCAL = "at AT TIME ZONE 'utc' AT TIME ZONE tz"

#: Store what is new and keep everything that hangs on it; one row: what happened.
STORE = f"""
WITH input AS MATERIALIZED ({INPUT}
), owned AS MATERIALIZED (
    SELECT i.*, c.meter_id
      FROM input i JOIN meter_circuit c ON c.id = i.circuit_id AND c.connector_id = %(connector_id)s
  ORDER BY i.circuit_id, i.at, i.idx
), stored AS (
    INSERT INTO meter_reading_data ({_DATA}) SELECT {_DATA} FROM owned
    ON CONFLICT (circuit_id, at) DO NOTHING
    RETURNING id, circuit_id, at, {_VALUES}, switch, extras
), newest AS (
    SELECT circuit_id, max(at) AS at, max(at) FILTER (WHERE total IS NOT NULL) AS total_at,
           max(at) FILTER (WHERE switch IS NOT NULL) AS switch_at,
           {", ".join(_newest(name) for name in (*_TEXTS, "switch", "extras"))}
      FROM (SELECT * FROM stored ORDER BY circuit_id, at DESC) AS newest_first
  GROUP BY circuit_id
), live AS (
    INSERT INTO meter_live AS l (circuit_id, {_LIVE}) SELECT circuit_id, {_LIVE} FROM newest
    ON CONFLICT (circuit_id) DO UPDATE SET {_LIVE_UPDATES}
), totals AS (
    SELECT s.circuit_id, s.at, {", ".join(f"s.{name}" for name in TOTAL_COLUMNS)}, COALESCE(c.tz, 'UTC') AS tz
      FROM stored s JOIN meter_circuit c ON c.id = s.circuit_id WHERE s.total IS NOT NULL
), hours AS ({_open_periods("hour", "totals", f"date_trunc('hour', {_LOCAL}) AT TIME ZONE tz AT TIME ZONE 'utc'")}
), days AS ({_open_periods("day", "totals", f"({_LOCAL})::date")}
), awake AS (
    UPDATE meter_meter m SET state = 'online', state_since = n.at
      FROM (SELECT c.meter_id, max(n.at) AS at FROM newest n JOIN meter_circuit c ON c.id = n.circuit_id
          GROUP BY c.meter_id) n
     WHERE m.id = n.meter_id AND m.state <> 'online' AND n.at > COALESCE(m.state_since, '-infinity')
    RETURNING m.id
)
SELECT (SELECT count(*) FROM stored), (SELECT min(id) FROM stored),
       (SELECT array_agg(circuit_id) FROM newest), (SELECT array_agg(id) FROM awake)
"""

#: Why a row of the batch was not stored. Ids grow, so a row with an id below ``first_id`` was there before.
EXPLAIN = f"""
WITH input AS MATERIALIZED ({INPUT})
SELECT idx, verdict FROM (
    SELECT i.idx, CASE
           WHEN c.id IS NULL THEN 'unknown'
           WHEN c.connector_id IS DISTINCT FROM %(connector_id)s THEN 'foreign'
           WHEN d.id IS NULL THEN 'retry'
           WHEN d.id >= %(first_id)s AND row_number() OVER (PARTITION BY i.circuit_id, i.at ORDER BY i.idx) = 1 THEN 'stored'
           WHEN ({", ".join(f"i.{name}" for name in (*_TEXTS, "switch", "extras"))})
                IS NOT DISTINCT FROM ({", ".join(f"d.{name}" for name in (*_TEXTS, "switch", "extras"))}) THEN 'duplicate'
           ELSE 'conflict' END AS verdict
      FROM input i
      LEFT JOIN meter_circuit c ON c.id = i.circuit_id
      LEFT JOIN meter_reading_data d ON d.circuit_id = i.circuit_id AND d.at = i.at
) explained WHERE verdict <> 'stored' ORDER BY idx
"""

#: The meter says otherwise than we thought: only a newer word counts. Returns the switches that changed.
SWITCHES = """
UPDATE meter_switch s
   SET reported = l.switch, reported_at = l.switch_at, reported_generation = s.generation
  FROM meter_live l
 WHERE s.circuit_id = ANY(%(circuit_ids)s) AND l.circuit_id = s.circuit_id
   AND l.switch IS DISTINCT FROM s.reported AND l.switch_at > COALESCE(s.reported_at, '-infinity')
   AND l.switch <> 'unknown'
RETURNING s.id
"""
