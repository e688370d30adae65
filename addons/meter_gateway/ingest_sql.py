"""The statements of the ingest. Parameters: ``batch.to_parameters`` plus ``connector_id``.

Columns travel as one text each, so that neither psycopg2 nor this process touches values one by one. A circuit's row in
``meter_live`` holds all that the usual reading must be compared with (whose it is, its newest values, its current hour),
so that one join is enough and hours, days, switches and sleeping meters cost something only when they change. Planning
counts too: what is seldom needed is a statement of its own.
"""

from .const import LIVE_COLUMNS, TOTAL_COLUMNS

_TEXTS = (*TOTAL_COLUMNS, *LIVE_COLUMNS)
_VALUES = ", ".join(_TEXTS)
_DATA = f"circuit_id, at, {_VALUES}, switch, source, extras"
_ARRAYS = ", ".join(f"%({name})s::numeric[]" for name in _TEXTS)

#: The rows of a batch, numbered from 1.
_INPUT = f"""
    SELECT idx, circuit_id, to_timestamp(at) AT TIME ZONE 'utc' AS at, {_VALUES},
           switch, COALESCE(source, 'scheduled') AS source, extras
      FROM unnest(
        %(circuit_id)s::int[], %(at)s::float8[],
        {_ARRAYS},
        string_to_array(%(switch)s, ',', ''), string_to_array(%(source)s, ',', ''), %(extras)s::text[]
      ) WITH ORDINALITY AS x(circuit_id, at, {_VALUES}, switch, source, extras, idx)
"""

#: What is carried along of the live row as it was before.
_KNOWN = ("tz", "hour_first_at", "hour_until", "is_silent", "switch", "switch_at")
_KNOWN_OF_LIVE = ", ".join(f"l.{name} AS known_{name}" for name in _KNOWN)
_KNOWN_LIST = ", ".join(f"known_{name}" for name in _KNOWN)

# The newest values of each circuit. One row a circuit is the usual case; with more, the newest that is there counts.
_NEWEST_OF_ONE = f"""
    SELECT circuit_id, at, CASE WHEN total IS NOT NULL THEN at END AS total_at,
           CASE WHEN switch IS NOT NULL THEN at END AS switch_at, {_VALUES}, switch, extras, {_KNOWN_LIST}
      FROM fresh
"""
_NEWEST_OF_MANY = f"""
    SELECT circuit_id, max(at) AS at, max(at) FILTER (WHERE total IS NOT NULL) AS total_at,
           max(at) FILTER (WHERE switch IS NOT NULL) AS switch_at,
           {", ".join(f"(array_agg({name}) FILTER (WHERE {name} IS NOT NULL))[1] AS {name}" for name in (*_TEXTS, "switch", "extras"))},
           {", ".join(f"(array_agg(known_{name}))[1] AS known_{name}" for name in _KNOWN)}
      FROM (SELECT * FROM fresh ORDER BY circuit_id, at DESC) AS newest_first
  GROUP BY circuit_id
"""

#: A late reading must not overwrite a newer value; a missing value never does. clock column -> what goes by it
_CLOCKS = {"at": (*LIVE_COLUMNS, "extras"), "total_at": TOTAL_COLUMNS, "switch_at": ("switch",)}


def _keep_newer(name, clock):
    return (
        f"{name} = CASE WHEN n.{clock} >= COALESCE(l.{clock}, '-infinity')"
        f" THEN COALESCE(n.{name}, l.{name}) ELSE l.{name} END"
    )


_LOCAL_HOUR = "date_trunc('hour', {at} AT TIME ZONE 'utc' AT TIME ZONE {tz})"
_HOUR = _LOCAL_HOUR + " AT TIME ZONE {tz} AT TIME ZONE 'utc'"
_IS_NEW_HOUR = "n.total_at >= COALESCE(l.hour_until, '-infinity')"
_LIVE_UPDATES = ",\n           ".join(
    [_keep_newer(name, clock) for clock, names in _CLOCKS.items() for name in names]
    + [f"{clock} = GREATEST(l.{clock}, n.{clock})" for clock in _CLOCKS]
    + [
        f"hour_first_at = CASE WHEN {_IS_NEW_HOUR} THEN n.total_at ELSE l.hour_first_at END",
        f"hour_until = CASE WHEN {_IS_NEW_HOUR} THEN {_HOUR.format(at='n.total_at', tz='l.tz')} + interval '1 hour'"
        " ELSE l.hour_until END",
    ]
)

_FIRST = ", ".join(f"first_{name}" for name in TOTAL_COLUMNS)
_TOTALS = ", ".join(TOTAL_COLUMNS)
_FIRST_UPDATES = ", ".join(f"first_{name} = EXCLUDED.first_{name}" for name in ("at", *TOTAL_COLUMNS))


#: What the ingest must know of the outcome: readings stored, lowest new id, circuits touched, those whose switch says
#: something else than before, those of meters that were not online, and whether a reading lies outside the newest hour
#: of its circuit (then PERIODS is due).
_OUTCOME = """
SELECT (SELECT count(*) FROM fresh), {first_id}, (SELECT array_agg(circuit_id) FROM newest),
       (SELECT array_agg(circuit_id) FROM newest
         WHERE switch <> COALESCE(known_switch, '') AND switch_at > COALESCE(known_switch_at, '-infinity')),
       (SELECT array_agg(circuit_id) FROM newest WHERE known_is_silent),
       EXISTS (SELECT 1 FROM fresh
                WHERE total IS NOT NULL AND (at >= known_hour_first_at AND at < known_hour_until) IS NOT TRUE)
"""
_INSERT = f"INSERT INTO meter_reading_data ({_DATA}) SELECT {_DATA}"
_UPDATE_LIVE = f"UPDATE meter_live l SET {_LIVE_UPDATES} FROM newest n WHERE l.circuit_id = n.circuit_id"


def _store_new(newest):
    """All rows are new: the usual batch. A row that is there already breaks the unique key (a third cheaper to ask so)."""
    return f"""
WITH input AS MATERIALIZED ({_INPUT}
), fresh AS MATERIALIZED (
    SELECT i.*, {_KNOWN_OF_LIVE}
      FROM input i JOIN meter_live l ON l.circuit_id = i.circuit_id AND l.connector_id = %(connector_id)s
  ORDER BY i.circuit_id, i.at
), stored AS ({_INSERT} FROM fresh
), newest AS MATERIALIZED ({newest}
), live AS ({_UPDATE_LIVE})
{_OUTCOME.format(first_id="NULL::bigint")}
"""


def _store_any(newest):
    """Some rows may be there already, or twice in the batch: only what is new is stored."""
    return f"""
WITH input AS MATERIALIZED ({_INPUT}
), owned AS MATERIALIZED (
    SELECT DISTINCT ON (i.circuit_id, i.at) i.*, {_KNOWN_OF_LIVE}
      FROM input i JOIN meter_live l ON l.circuit_id = i.circuit_id AND l.connector_id = %(connector_id)s
  ORDER BY i.circuit_id, i.at, i.idx
), stored AS ({_INSERT} FROM owned
    ON CONFLICT (circuit_id, at) DO NOTHING
    RETURNING id, circuit_id, at
), fresh AS MATERIALIZED (
    SELECT o.* FROM owned o JOIN stored s ON s.circuit_id = o.circuit_id AND s.at = o.at
), newest AS MATERIALIZED ({newest}
), live AS ({_UPDATE_LIVE})
{_OUTCOME.format(first_id="(SELECT min(id) FROM stored)")}
"""


STORE_NEW_ONE_EACH = _store_new(_NEWEST_OF_ONE)
STORE_NEW = _store_new(_NEWEST_OF_MANY)
STORE_ANY = _store_any(_NEWEST_OF_MANY)


def _open_periods(period, start):
    """Rows of hours or days that begin with a reading of this batch, or earlier than was known."""
    return f"""
    INSERT INTO meter_energy_{period}_data AS p (circuit_id, {period}, first_at, {_FIRST})
    SELECT circuit_id, start, at, {_TOTALS}
      FROM (SELECT DISTINCT ON (circuit_id, start) *
              FROM (SELECT *, {start} AS start FROM batch) dated
          ORDER BY circuit_id, start, at) first
     WHERE NOT EXISTS (SELECT 1 FROM meter_energy_{period}_data d
                        WHERE d.circuit_id = first.circuit_id AND d.{period} = first.start AND d.first_at <= first.at)
    ON CONFLICT (circuit_id, {period}) DO UPDATE SET {_FIRST_UPDATES} WHERE EXCLUDED.first_at < p.first_at
    """


#: Hours and days that begin with a reading of this batch, as it was stored.
PERIODS = f"""
WITH batch AS MATERIALIZED (
    SELECT d.circuit_id, d.at, {", ".join(f"d.{name}" for name in TOTAL_COLUMNS)}, l.tz
      FROM (SELECT circuit_id, to_timestamp(at) AT TIME ZONE 'utc' AS at
              FROM unnest(%(circuit_id)s::int[], %(at)s::float8[]) x(circuit_id, at)) i
      JOIN meter_live l ON l.circuit_id = i.circuit_id AND l.connector_id = %(connector_id)s
      JOIN meter_reading_data d ON d.circuit_id = i.circuit_id AND d.at = i.at
     WHERE d.total IS NOT NULL
), hours AS ({_open_periods("hour", _HOUR.format(at="at", tz="tz"))}
)
{_open_periods("day", "(at AT TIME ZONE 'utc' AT TIME ZONE tz)::date")}
"""

_CONTENT = (*_TEXTS, "switch", "extras")

#: Why a row of the batch was not stored. Ids grow, so a row with an id below ``first_id`` was there before.
EXPLAIN = f"""
WITH input AS MATERIALIZED ({_INPUT})
SELECT idx, verdict FROM (
    SELECT i.idx, CASE
           WHEN c.id IS NULL THEN 'unknown'
           WHEN c.connector_id IS DISTINCT FROM %(connector_id)s THEN 'foreign'
           WHEN d.id IS NULL THEN 'retry'
           WHEN d.id >= %(first_id)s AND row_number() OVER (PARTITION BY i.circuit_id, i.at ORDER BY i.idx) = 1 THEN 'stored'
           WHEN ({", ".join(f"i.{name}" for name in _CONTENT)})
                IS NOT DISTINCT FROM ({", ".join(f"d.{name}" for name in _CONTENT)}) THEN 'duplicate'
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
   AND l.switch <> s.reported AND l.switch_at > COALESCE(s.reported_at, '-infinity')
RETURNING s.id
"""

#: Meters of these circuits are there again, unless they went silent after the reading. Returns them.
AWAKE = """
WITH awake AS (
    UPDATE meter_meter m SET state = 'online', state_since = l.at
      FROM meter_live l JOIN meter_circuit c ON c.id = l.circuit_id
     WHERE l.circuit_id = ANY(%(circuit_ids)s) AND m.id = c.meter_id
       AND m.state <> 'online' AND l.at > COALESCE(m.state_since, '-infinity')
    RETURNING m.id
), live AS (
    UPDATE meter_live l SET is_silent = false
      FROM meter_circuit c JOIN awake ON awake.id = c.meter_id
     WHERE l.circuit_id = c.id
)
SELECT id FROM awake
"""
