"""One query per table for the whole batch; nothing per point."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from ..exact import exact_numbers
from ..rating import Accumulator, Guard, Point, Reading, Span, TariffError, Use, hold_back, parse

READINGS_PER_RUN = 500  # of one circuit; the rest waits for the next run
RATED_KW = {"1": Decimal(18), "3": Decimal(54)}  # 80 A per phase, what direct meters carry at most
RATED_M3 = Decimal(30)
HISTORY_DAYS = 7
RATES_PATIENCE = timedelta(days=1)  # so long a meter with rate registers may send totals only

INSTALLATIONS = """
SELECT i.id, i.circuit_id, i.service_point_id, i.start_at, i.end_at, i.multiplier,
       i.start_total, i.start_t1, i.start_t2, i.start_t3, i.start_t4,
       i.end_total, i.end_t1, i.end_t2, i.end_t3, i.end_t4,
       p.at, p.total, p.t1, p.t2, p.t3, p.t4, p.rate_offset, p.is_blocked,
       coalesce(p.meter_serial, m.serial) <> m.serial AS is_replaced,
       coalesce(p.meter_ratio, i.multiplier) <> m.ct_ratio * m.vt_ratio AS is_ratio_changed,
       m.serial, m.ct_ratio * m.vt_ratio AS meter_ratio,
       CASE WHEN n.backlog_moved_at > %(moving_since)s THEN n.backlog_at END AS waiting_from,
       k.id AS kind_id, k.code AS kind_code, mm.phases, mm.prepaid_capacity, mm.prepaid_max_per_hour, mm.prepaid_has_rates,
       sp.building_id, sp.company_id, sp.unit_id, coalesce(s.tz, 'Asia/Shanghai') AS tz
  FROM meter_installation i
  JOIN meter_circuit c ON c.id = i.circuit_id
  JOIN meter_meter m ON m.id = c.meter_id
  JOIN meter_model mm ON mm.id = m.model_id
  JOIN utility_service_point sp ON sp.id = i.service_point_id
  JOIN utility_kind k ON k.id = sp.kind_id
  JOIN property_building b ON b.id = sp.building_id
  JOIN property_site s ON s.id = b.site_id
  LEFT JOIN meter_connector n ON n.id = m.connector_id
  LEFT JOIN prepaid_cursor p ON p.installation_id = i.id
 WHERE i.circuit_id = ANY(%(circuits)s)
   AND NOT coalesce(p.is_blocked, false)
   AND (i.end_at IS NULL OR p.at IS NULL OR p.at < i.end_at)
 ORDER BY i.circuit_id, i.start_at
"""

READINGS = """
SELECT b.id, r.at, r.total, r.t1, r.t2, r.t3, r.t4
  FROM unnest(%(ids)s::int[], %(circuits)s::int[], %(after)s::timestamp[], %(before)s::timestamp[], %(rates)s::bool[])
       AS b(id, circuit_id, after_at, before_at, has_rates)
 CROSS JOIN LATERAL (
       SELECT x.at, x.total, x.t1, x.t2, x.t3, x.t4 FROM meter_reading_data x
        WHERE x.circuit_id = b.circuit_id AND x.at > b.after_at AND x.at >= %(first)s
          AND (b.before_at IS NULL OR x.at < b.before_at) AND x.total IS NOT NULL
          AND (NOT b.has_rates OR x.t4 IS NOT NULL)
        ORDER BY x.at LIMIT %(limit)s) r
 WHERE NOT EXISTS (SELECT 1 FROM prepaid_review v
                    WHERE v.circuit_id = b.circuit_id AND v.state = 'rejected'
                      AND r.at BETWEEN v.reading_at AND v.ignored_until)
 ORDER BY b.id, r.at
"""

TARIFFS = """
SELECT a.service_point_id, a.valid_from, v.tariff_id, v.valid_from, v.id, v.definition
  FROM utility_tariff_assignment a
  JOIN utility_tariff_version v ON v.tariff_id = a.tariff_id AND v.state = 'confirmed'
 WHERE a.service_point_id = ANY(%(points)s)
 ORDER BY a.service_point_id, a.valid_from, v.valid_from
"""

PAYERS = """
SELECT sp.id, o.start_at, o.end_at, o.contract_id
  FROM utility_service_point sp JOIN property_occupancy o ON o.unit_id = sp.unit_id
 WHERE sp.id = ANY(%(points)s) AND coalesce(o.end_at, 'infinity') > %(first)s
 ORDER BY sp.id, o.start_at
"""

ACCUMULATORS = """
SELECT service_point_id, coalesce(contract_id, 0), tariff_version_id, period_start, opening, total, t1, t2, t3, t4, charged
  FROM prepaid_accumulator WHERE service_point_id = ANY(%(points)s) AND period_start >= %(first_period)s
"""

HISTORY = """
SELECT service_point_id, sum(quantity) / (%(days)s * 24) FROM prepaid_use_daily
 WHERE service_point_id = ANY(%(points)s) AND day >= %(since)s
 GROUP BY service_point_id HAVING count(DISTINCT day) >= %(days)s - 1
"""

ACCEPTED = """
SELECT installation_id, reading_at, quantity, id FROM prepaid_review
 WHERE installation_id = ANY(%(ids)s) AND state = 'accepted' AND kind IN ('rollback', 'rollover', 'jump', 'rates')
"""


@dataclass(slots=True)
class Work:
    """One installation of the batch."""

    row: dict
    point: Point | None = None
    readings: list = field(default_factory=list)
    review_ids: dict = field(default_factory=dict)  # {reading at: accepted review}
    is_cut_off: bool = False  # more readings wait
    is_held_back: bool = False  # until the connector has brought what it stored


@dataclass(slots=True)
class Batch:
    works: list
    accumulators: dict  # {service point id: {(contract or 0, version, period): Accumulator}}


def load(cr, circuit_ids, moving_since, guard_factor=Decimal(1)):
    """Everything that settling these circuits needs. Backlogs that did not move since `moving_since` are not waited for."""
    with exact_numbers(cr):
        return _load(cr, circuit_ids, moving_since, guard_factor)


def _load(cr, circuit_ids, moving_since, guard_factor):
    rows = _fetch(cr, INSTALLATIONS, {"circuits": list(circuit_ids), "moving_since": moving_since})
    works = {row["id"]: Work(row) for row in rows}
    if not works:
        return Batch([], {})
    for row in rows:
        row["start"] = _get_start(row)
    points = list({row["service_point_id"] for row in rows})
    first = min(row["start"].at for row in rows)
    tariffs, payers = _get_tariffs(cr, points), _get_payers(cr, points, first)
    for row in rows:
        row["needs_rates"] = _needs_rates(tariffs.get(row["service_point_id"], ()), row["start"].at)
    _add_readings(cr, works, first)
    means, accepted = (
        _get_history(cr, points, max(row["start"].at for row in rows)),
        _get_accepted(cr, list(works)),
    )
    for work in works.values():
        work.review_ids = {at: review_id for at, (_quantity, review_id) in accepted[work.row["id"]].items()}
        work.point = _make_point(work.row, payers, tariffs, means, accepted, guard_factor)
        _hold_back(work)
    return Batch(list(works.values()), _get_accumulators(cr, points, first))


def _fetch(cr, query, params):
    cr.execute(query, params)
    names = [column.name for column in cr.description]
    return [dict(zip(names, row, strict=True)) for row in cr.fetchall()]


def _get_start(row):
    """Where the chain has come to; the installation's opening reading (as it says now) while nothing was settled."""
    if row["at"] and row["at"] != row["start_at"]:
        return _make_reading(row["at"], row["total"], [row[f"t{n}"] for n in range(1, 5)])
    row["rate_offset"] = None
    rates = [row[f"start_t{n}"] for n in range(1, 5)] if row["prepaid_has_rates"] else [None]
    return _make_reading(row["start_at"], row["start_total"], rates)


def _make_reading(at, total, rates):
    return Reading(at, total, None if any(rate is None for rate in rates) else tuple(rates))


def _needs_rates(spans, start):
    """True when a price from `start` on is by rate registers."""
    return any(
        getattr(span.value[1], "needs_rates", False) for span in spans if span.end is None or span.end > start
    )


def _add_readings(cr, works, first):
    rated = {
        work.row["id"] for work in works.values() if work.row["needs_rates"] and work.row["prepaid_has_rates"]
    }
    _fetch_readings(cr, works, works, rated, first)
    starved = {work_id for work_id in rated if not works[work_id].readings}
    if starved:  # for a day the meter has told totals only: a person has to know
        _fetch_readings(cr, works, starved, (), first, patience=RATES_PATIENCE)
    for work in works.values():
        work.is_cut_off = len(work.readings) >= READINGS_PER_RUN
        row = work.row
        if row["end_at"] and not work.is_cut_off:
            rates = [row[f"end_t{n}"] for n in range(1, 5)] if row["prepaid_has_rates"] else [None]
            work.readings.append(_make_reading(row["end_at"], row["end_total"] or Decimal(0), rates))


def _fetch_readings(cr, works, ids, rated, first, patience=timedelta()):
    """Readings after each chain's end; of those in `rated` only readings with rates."""
    rows = [works[work_id].row for work_id in ids]
    params = {
        "ids": [row["id"] for row in rows],
        "circuits": [row["circuit_id"] for row in rows],
        "after": [row["start"].at + patience for row in rows],
        "before": [row["end_at"] for row in rows],
        "rates": [row["id"] in rated for row in rows],
        "first": first,
        "limit": READINGS_PER_RUN,
    }
    cr.execute(READINGS, params)
    for installation_id, at, total, *rates in cr.fetchall():
        works[installation_id].readings.append(_make_reading(at, total, rates))


def _hold_back(work):
    """Leave out readings that have to wait for older ones of the connector's backlog."""
    waiting_from = work.row["waiting_from"]
    readings = hold_back(work.point, work.readings, waiting_from) if waiting_from else work.readings
    if len(readings) < len(work.readings):
        work.readings, work.is_held_back, work.is_cut_off = readings, True, False


def _get_tariffs(cr, points):
    """{service point id: Spans of (version id, Spec or TariffError)}"""
    cr.execute(TARIFFS, {"points": points})
    rows, specs = defaultdict(lambda: defaultdict(list)), {}
    for point_id, assigned_from, _tariff_id, valid_from, version_id, definition in cr.fetchall():
        if version_id not in specs:
            specs[version_id] = _parse(definition)
        rows[point_id][assigned_from].append((valid_from, version_id, specs[version_id]))
    return {point_id: _make_tariff_spans(assignments) for point_id, assignments in rows.items()}


def _parse(definition):
    try:
        return parse(definition)
    except TariffError as error:
        return error


def _make_tariff_spans(assignments):
    """Assignments in time, within each the versions in time."""
    spans, starts = [], sorted(assignments)
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        versions = assignments[start]
        for index, (valid_from, version_id, spec) in enumerate(versions):
            following = versions[index + 1][0] if index + 1 < len(versions) else None
            begin = max(start, valid_from)
            finish = min(filter(None, (end, following)), default=None)
            if finish is None or begin < finish:
                spans.append(Span(begin, finish, (version_id, spec)))
    return tuple(spans)


def _get_payers(cr, points, first):
    cr.execute(PAYERS, {"points": points, "first": first})
    payers = defaultdict(list)
    for point_id, start, end, contract_id in cr.fetchall():
        payers[point_id].append(Span(start, end, contract_id))
    return payers


def _get_history(cr, points, last):
    cr.execute(
        HISTORY,
        {"points": points, "days": HISTORY_DAYS, "since": date.fromordinal(last.toordinal() - HISTORY_DAYS)},
    )
    return dict(cr.fetchall())


def _get_accepted(cr, installation_ids):
    cr.execute(ACCEPTED, {"ids": installation_ids})
    accepted = defaultdict(dict)
    for installation_id, at, quantity, review_id in cr.fetchall():
        accepted[installation_id][at] = (quantity, review_id)
    return accepted


def _make_point(row, payers, tariffs, means, accepted, guard_factor):
    point_id = row["service_point_id"]
    guard = Guard(
        multiplier=row["multiplier"],
        capacity=row["prepaid_capacity"] or Decimal(1000000),
        max_per_hour=_get_max_per_hour(row) * guard_factor,
        mean_per_hour=means[point_id] * guard_factor if means.get(point_id) else None,
        rate_offset=row["start"].rate_offset if row["rate_offset"] is None else row["rate_offset"],
        accepted={
            at: quantity for at, (quantity, _review) in accepted[row["id"]].items() if at > row["start"].at
        },
    )
    return Point(
        row["start"],
        row["tz"],
        row["multiplier"],
        guard,
        payers=tuple(payers.get(point_id, ())),
        tariffs=tariffs.get(point_id, ()),
    )


def _get_max_per_hour(row):
    """kWh or m³ the connection carries in an hour: of the model, else what meters of its kind carry."""
    if row["prepaid_max_per_hour"]:
        return row["prepaid_max_per_hour"] * row["multiplier"]
    if row["kind_code"] == "power":
        return RATED_KW.get(row["phases"], RATED_KW["3"]) * row["multiplier"]
    return RATED_M3 * row["multiplier"]


def _get_accumulators(cr, points, first):
    cr.execute(ACCUMULATORS, {"points": points, "first_period": date(first.year - 1, 12, 31)})
    result = {point_id: {} for point_id in points}
    for (
        point_id,
        contract_id,
        version_id,
        period_start,
        opening,
        total,
        t1,
        t2,
        t3,
        t4,
        charged,
    ) in cr.fetchall():
        key = (contract_id, version_id, period_start)
        result[point_id][key] = Accumulator(Use(total, (t1, t2, t3, t4)), charged, opening)
    return result
