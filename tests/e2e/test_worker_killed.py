"""A power failure at every step between the gateway's notice and the wallet: the payment counts, and counts once.

The steps are where the worker must take a lock: the test holds that table, waits until the worker that carries the
payment stands in front of it, and kills Odoo (-9, all of it). Nothing in the product is patched.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from threading import Thread

import psycopg2
import pytest
import requests
from stack import postgres
from stack.payer import Payer

from .timeline import wait_for
from .world import World

ACCOUNT = "100008"
WITHIN_S = 150  # a cron worker looks at least once a minute

# Whether somebody waits for the table who has worked on a payment in the same transaction.
WAITS = """
    SELECT l.pid FROM pg_locks l
     WHERE l.relation = %(table)s::regclass AND NOT l.granted
       AND EXISTS (SELECT 1 FROM pg_locks own WHERE own.pid = l.pid AND own.relation = 'payment_transaction'::regclass
                      AND (own.granted AND own.mode <> 'AccessShareLock' OR %(table)s = 'payment_transaction'))
"""


@contextlib.contextmanager
def held(database: str, table: str) -> Iterator[psycopg2.extensions.connection]:
    connection = psycopg2.connect(**postgres.server().dsn(database))
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '30s'")
            cursor.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        yield connection
    finally:
        connection.close()


def wait_for_worker(connection: psycopg2.extensions.connection, table: str) -> None:
    with connection.cursor() as cursor:

        def is_there() -> bool:
            cursor.execute(WAITS, {"table": table})
            return cursor.fetchone() is not None

        wait_for(is_there, f"a worker with a payment in front of {table}", WITHIN_S)


@pytest.mark.parametrize(
    ("table", "is_in_notice"),
    [
        ("payment_transaction", True),  # nothing done yet
        ("ir_cron_trigger", True),  # confirmed, but not committed
        ("account_payment", False),  # post-processing has begun
        ("prepaid_entry", False),  # the payment is booked, the wallet is not
        ("prepaid_booking", False),  # the wallet has its entry, the books do not know
    ],
)
def test_a_killed_worker_neither_loses_nor_doubles_a_payment(
    world: World, table: str, is_in_notice: bool
) -> None:
    site, name = world.site, world.site.options.database
    gateway = site.pay_gateways["wechatpay"]
    email = next(row["email"] for row in world.document["tenancies"] if row["account"] == ACCOUNT)
    payer = Payer(site.odoo.url, name, email, site.password, world.contract_id(ACCOUNT))
    reference = payer.order("50", "wechatpay")
    gateway.command("pay", out_trade_no=reference, notify=False)
    notice = gateway.command("make_notice", out_trade_no=reference)["notice"]

    def send() -> int:
        answer = requests.post(notice["url"], notice["body"].encode(), headers=notice["headers"], timeout=60)
        return answer.status_code

    def send_in_vain() -> None:
        with contextlib.suppress(requests.RequestException):
            send()

    with held(name, table) as connection:
        sender = Thread(target=send_in_vain)
        sender.start()
        wait_for_worker(connection, table)
        site.odoo.kill()
    sender.join()
    site.odoo.start()
    if is_in_notice:
        assert wait_for(lambda: send() < 300, "the repeated notice to be taken")  # as the gateway does
    found = "SELECT count(*) FROM {} WHERE {} = (SELECT id FROM payment_transaction WHERE reference = %s)"
    entries = found.format("prepaid_entry", "transaction_id")
    wait_for(lambda: world.database.value(entries, reference) == 1, "the credit", WITHIN_S)
    send()  # once more, late
    rows = world.database.rows(
        """SELECT t.state, t.is_post_processed, count(DISTINCT e.id) AS entries, count(DISTINCT u.id) AS topups,
                  count(DISTINCT p.id) AS payments, sum(DISTINCT e.amount) AS amount
             FROM payment_transaction t LEFT JOIN prepaid_entry e ON e.transaction_id = t.id
             LEFT JOIN prepaid_topup u ON u.transaction_id = t.id
             LEFT JOIN account_payment p ON p.payment_transaction_id = t.id
            WHERE t.reference = %s GROUP BY t.id""",
        reference,
    )
    assert [
        (row["state"], row["entries"], row["topups"], row["payments"], row["amount"]) for row in rows
    ] == [("done", 1, 1, 1, 50)]
