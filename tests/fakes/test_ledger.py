"""The rules of orders and refunds, without clock and socket."""

from datetime import datetime, timedelta

import pytest

from .ledger import MAX_REFUNDS, TRANSITIONS, Ledger, Order, Refund, Refusal, get_fee
from .server import BEIJING

NOW = datetime(2026, 11, 20, 12, tzinfo=BEIJING)
HOUR = timedelta(hours=1)


def make_order(number="A1", fen=1000, **values):
    params = {"fen": fen} | values.pop("params", {})
    values = {"created_at": NOW, "expires_at": NOW + HOUR, "kind": "native", "subject": "s"} | values
    return Order(number, fen, params=params, **values)


def make_ledger(state="unpaid"):
    """A ledger with order A1 of 1000 fen in this state."""
    ledger = Ledger()
    ledger.create(make_order(), NOW)
    if state in ("paid", "refunded"):
        ledger.pay("A1", NOW)
    if state == "refunded":
        ledger.refund("A1", make_refund("R0", 1), NOW)
    if state == "closed":
        ledger.close("A1", NOW)
    return ledger


def make_refund(number="R1", fen=400):
    return Refund(number, "", fen, NOW)


def refused(call, *args, **kwargs):
    with pytest.raises(Refusal) as refusal:
        call(*args, **kwargs)
    return refusal.value.reason


@pytest.mark.parametrize(
    ("state", "event", "expected"),
    [
        ("unpaid", "pay", "paid"),
        ("unpaid", "close", "closed"),
        ("unpaid", "refund", "not_paid"),
        ("paid", "pay", "paid!"),
        ("paid", "close", "paid!"),
        ("paid", "refund", "refunded"),
        ("refunded", "pay", "paid!"),
        ("refunded", "close", "paid!"),
        ("refunded", "refund", "refunded"),
        ("closed", "pay", "closed!"),
        ("closed", "close", "closed"),
        ("closed", "refund", "closed!"),
        ("closed", "late_pay", "paid"),
        ("unpaid", "late_pay", "paid"),
        ("paid", "late_pay", "paid!"),
    ],
)
def test_each_event_in_each_state(state, event, expected):
    ledger = make_ledger(state)
    calls = {
        "pay": lambda: ledger.pay("A1", NOW),
        "late_pay": lambda: ledger.pay("A1", NOW, event="late_pay"),
        "close": lambda: ledger.close("A1", NOW),
        "refund": lambda: ledger.refund("A1", make_refund(), NOW),
    }
    if expected.endswith("!") or expected == "not_paid":
        assert refused(calls[event]) == expected.rstrip("!")
        assert ledger.get("A1", NOW).state == state
    else:
        calls[event]()
        assert ledger.get("A1", NOW).state == expected


def test_no_transition_leads_from_paid_to_unpaid():
    assert not [pair for pair, following in TRANSITIONS.items() if following == "unpaid"]


def test_the_same_order_again_is_the_same_order():
    ledger = make_ledger()
    first = ledger.orders["A1"]
    assert ledger.create(make_order(), NOW) is first


def test_the_same_number_with_other_values_is_refused():
    ledger = make_ledger()
    assert refused(ledger.create, make_order(fen=1001), NOW) == "differs"


@pytest.mark.parametrize(("state", "reason"), [("paid", "paid"), ("refunded", "paid"), ("closed", "closed")])
def test_the_number_of_an_ended_order_is_not_ordered_again(state, reason):
    assert refused(make_ledger(state).create, make_order(), NOW) == reason


def test_an_order_that_nobody_pays_expires_at_its_time():
    ledger = make_ledger()
    assert ledger.get("A1", NOW + HOUR - timedelta(seconds=1)).state == "unpaid"
    assert refused(ledger.pay, "A1", NOW + HOUR) == "closed"


def test_unknown_orders_are_refused():
    ledger = Ledger()
    assert refused(ledger.get, "A1", NOW) == "unknown"
    assert refused(ledger.find, NOW, gateway_number="") == "unknown"
    assert refused(ledger.find_refund, "R1") == "refund_unknown"


@pytest.mark.parametrize(
    ("begun", "fen", "reason"),
    [
        ([], 1000, None),
        ([], 1001, "too_much"),
        ([], 0, "too_much"),
        ([], -1, "too_much"),
        ([999], 1, None),
        ([999], 2, "too_much"),
    ],
)
def test_refunds_never_exceed_what_was_paid(begun, fen, reason):
    ledger = make_ledger("paid")
    for number, amount in enumerate(begun):
        ledger.refund("A1", make_refund(f"B{number}", amount), NOW)
    if reason:
        assert refused(ledger.refund, "A1", make_refund(fen=fen), NOW) == reason
    else:
        ledger.refund("A1", make_refund(fen=fen), NOW)


def test_the_same_refund_again_is_the_same_refund():
    ledger = make_ledger("paid")
    first = ledger.refund("A1", make_refund(fen=1000), NOW)
    assert ledger.refund("A1", make_refund(fen=1000), NOW) is first
    assert refused(ledger.refund, "A1", make_refund(fen=999), NOW) == "refund_differs"


def test_a_refund_number_of_another_order_is_refused_unless_numbers_are_by_order():
    for by_order in (False, True):
        ledger = Ledger(refunds_by_order=by_order)
        for number in ("A1", "A2"):
            ledger.create(make_order(number), NOW)
            ledger.pay(number, NOW)
        ledger.refund("A1", make_refund(), NOW)
        if by_order:
            assert ledger.refund("A2", make_refund(), NOW).fen == 400
        else:
            assert refused(ledger.refund, "A2", make_refund(), NOW) == "refund_differs"


def test_a_refund_that_was_closed_leaves_the_money_to_be_refunded():
    ledger = make_ledger("paid")
    refund = ledger.refund("A1", make_refund(fen=1000), NOW)
    assert ledger.settle(refund, "closed", NOW)
    assert ledger.refund("A1", make_refund("R2", 1000), NOW).state == "processing"


def test_an_ended_refund_stays_as_it_is():
    ledger = make_ledger("paid")
    refund = ledger.refund("A1", make_refund(), NOW)
    assert ledger.settle(refund, "abnormal", NOW)
    assert ledger.settle(refund, "success", NOW)
    assert not ledger.settle(refund, "closed", NOW)
    assert refund.state == "success"


def test_refunds_have_a_number_and_a_time_limit_and_a_total_to_fit():
    ledger = make_ledger("paid")
    assert refused(ledger.refund, "A1", make_refund(), NOW + timedelta(days=366)) == "too_old"
    assert refused(ledger.refund, "A1", make_refund(), NOW, total=999) == "differs"
    for number in range(MAX_REFUNDS):
        ledger.refund("A1", make_refund(f"M{number}", 1), NOW)
    assert refused(ledger.refund, "A1", make_refund(fen=1), NOW) == "too_many"


@pytest.mark.parametrize(("fen", "fee"), [(1, 0), (83, 0), (84, 1), (1000, 6), (10000, 60)])
def test_the_fee_is_six_per_mille_rounded_half_up(fen, fee):
    assert get_fee(fen) == fee
