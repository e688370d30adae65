"""Decimals from the database. Odoo's cursors turn PostgreSQL's numeric into float; money and energy must not pass there."""

from contextlib import contextmanager

from odoo.sql_db import DECIMAL_TO_FLOAT_TYPE
from psycopg2.extensions import DECIMAL, register_type


@contextmanager
def exact_numbers(cr):
    """Within the block, `cr` fetches numeric columns as Decimal. Plain SQL only: no ORM calls inside."""
    cursor = cr._obj
    register_type(DECIMAL, cursor)
    try:
        yield cr
    finally:
        register_type(DECIMAL_TO_FLOAT_TYPE, cursor)


def fetch_exact(cr, query, params=None):
    """All rows of a query, numeric as Decimal."""
    with exact_numbers(cr):
        cr.execute(query, params)
        return cr.fetchall()


def fetch_exact_dicts(cr, query, params=None):
    with exact_numbers(cr):
        cr.execute(query, params)
        names = [column.name for column in cr.description]
        return [dict(zip(names, row, strict=True)) for row in cr.fetchall()]
