"""What a batch came to, written with one statement per table."""

import json

from psycopg2.extras import execute_values

from ..ledger import Posting

PAGE = 2000

CHARGE_COLUMNS = (
    "service_point_id, installation_id, building_id, kind_id, contract_id, wallet_id, company_id, tariff_version_id,"
    " period_start, from_reading_at, to_reading_at, from_total, to_total, from_t1, from_t2, from_t3, from_t4,"
    " to_t1, to_t2, to_t3, to_t4, is_computed, multiplier, quantity, amount, explanation, review_id"
)

CURSOR = """
INSERT INTO prepaid_cursor (installation_id, at, total, t1, t2, t3, t4, rate_offset, meter_serial, meter_ratio, is_blocked,
                            is_waiting)
VALUES %s ON CONFLICT (installation_id) DO UPDATE
   SET at = excluded.at, total = excluded.total, t1 = excluded.t1, t2 = excluded.t2, t3 = excluded.t3, t4 = excluded.t4,
       rate_offset = excluded.rate_offset, is_blocked = excluded.is_blocked,
       is_waiting = excluded.is_waiting
"""

ACCUMULATOR = """
INSERT INTO prepaid_accumulator (service_point_id, contract_id, tariff_version_id, period_start, opening,
                                 total, t1, t2, t3, t4, charged)
VALUES %s ON CONFLICT (service_point_id, coalesce(contract_id, 0), tariff_version_id, period_start) DO UPDATE
   SET total = excluded.total, t1 = excluded.t1, t2 = excluded.t2, t3 = excluded.t3, t4 = excluded.t4,
       charged = excluded.charged
"""

DAILY = """
INSERT INTO prepaid_use_daily AS d (day, service_point_id, contract_id, kind_id, building_id, company_id, quantity, amount)
VALUES %s ON CONFLICT (service_point_id, coalesce(contract_id, 0), day) DO UPDATE
   SET quantity = d.quantity + excluded.quantity, amount = d.amount + excluded.amount
"""


def get_wallets(cr, contract_ids):
    """{contract id: wallet id}"""
    cr.execute("SELECT contract_id, id FROM prepaid_wallet WHERE contract_id = ANY(%s)", [list(contract_ids)])
    return dict(cr.fetchall())


def get_languages(cr, contract_ids):
    """{contract id: language of its tenant, or of the company}"""
    cr.execute(
        """SELECT c.id, coalesce(tenant.lang, owner.lang) FROM contract_contract c
             JOIN res_partner tenant ON tenant.id = c.partner_id
             LEFT JOIN res_company company ON company.id = c.company_id
             LEFT JOIN res_partner owner ON owner.id = company.partner_id
            WHERE c.id = ANY(%s)""",
        [list(contract_ids)],
    )
    return dict(cr.fetchall())


def insert_charges(cr, results, wallets):
    """[(charge id, work, draft)] of (work, settlement) pairs."""
    drafts = [(work, draft) for work, result in results for draft in result.charges]
    values = [_make_charge(work, draft, wallets) for work, draft in drafts]
    if not values:
        return []
    statement = f"INSERT INTO prepaid_charge ({CHARGE_COLUMNS}) VALUES %s RETURNING id, installation_id, to_reading_at"
    inserted = execute_values(cr._obj, statement, values, page_size=PAGE, fetch=True)
    ids = {(installation_id, at): charge_id for charge_id, installation_id, at in inserted}
    return [(ids[work.row["id"], draft.after.at], work, draft) for work, draft in drafts]


def _make_charge(work, draft, wallets):
    row = work.row
    return (
        row["service_point_id"],
        row["id"],
        row["building_id"],
        row["kind_id"],
        draft.contract_id,
        wallets.get(draft.contract_id),
        row["company_id"],
        draft.version_id,
        draft.period_start,
        draft.before.at,
        draft.after.at,
        draft.before.total,
        draft.after.total,
        *(draft.before.rates or (None,) * 4),
        *(draft.after.rates or (None,) * 4),
        draft.before.is_computed or draft.after.is_computed,
        row["multiplier"],
        draft.use.total,
        draft.amount,
        json.dumps(draft.lines),
        next(
            (review for at, review in work.review_ids.items() if draft.before.at < at <= draft.after.at), None
        ),
    )


def make_postings(charges, wallets, describe):
    """Ledger postings of charges that cost something; describe(work, draft) -> text."""
    return [
        Posting(
            wallets[draft.contract_id],
            "charge",
            work.row["kind_id"],
            -draft.amount,
            f"charge,{work.row['id']},{draft.after.at.isoformat()}",
            describe(work, draft),
            draft.after.at,
            {"charge_id": charge_id},
        )
        for charge_id, work, draft in charges
        if draft.contract_id in wallets and draft.amount
    ]


def update_cursors(cr, results):
    """Each installation goes on from where its chain ended; blocked ones wait for their review.

    Number and ratio of the meter are taken when the chain begins; later only a person's decision changes them.
    """
    values = []
    for work, result, is_blocked in results:
        reading, row = result.cursor, work.row
        values.append(
            (
                row["id"],
                reading.at,
                reading.total,
                *(reading.rates or (None,) * 4),
                _get_rate_offset(work, result),
                row["serial"],
                row["multiplier"] if row["is_ratio_changed"] else row["meter_ratio"],
                is_blocked,
                work.is_held_back,
            )
        )
    if values:
        execute_values(cr._obj, CURSOR, values, page_size=PAGE)


def _get_rate_offset(work, result):
    """Stays what it was believed to be, so that a slow drift shows; taken anew where a person accepted a reading."""
    accepted = [at for at in work.point.guard.accepted if at <= result.cursor.at]
    believed = work.point.guard.rate_offset
    return result.cursor.rate_offset if accepted or believed is None else believed


def upsert_accumulators(cr, results, accumulators):
    """Write the accumulators that these results moved."""
    touched = {
        (work.row["service_point_id"], draft.contract_id or 0, draft.version_id, draft.period_start)
        for work, result in results
        for draft in result.charges
        if draft.version_id
    }
    values = []
    for point_id, *key in sorted(touched):
        total = accumulators[point_id][tuple(key)]
        values.append(
            (
                point_id,
                key[0] or None,
                key[1],
                key[2],
                total.opening,
                total.use.total,
                *total.use.rates,
                total.charged,
            )
        )
    if values:
        execute_values(cr._obj, ACCUMULATOR, values, page_size=PAGE)


def add_daily(cr, results):
    """Add the charges' days to the sums of days."""
    sums = {}
    for work, result in results:
        row = work.row
        for draft in result.charges:
            for day, quantity, amount in draft.days:
                key = (
                    day,
                    row["service_point_id"],
                    draft.contract_id,
                    row["kind_id"],
                    row["building_id"],
                    row["company_id"],
                )
                before = sums.get(key, (0, 0))
                sums[key] = (before[0] + quantity, before[1] + amount)
    values = [
        (*key, *value)
        for key, value in sorted(sums.items(), key=lambda item: (item[0][1], item[0][0], item[0][2] or 0))
    ]
    if values:
        execute_values(cr._obj, DAILY, values, page_size=PAGE)
