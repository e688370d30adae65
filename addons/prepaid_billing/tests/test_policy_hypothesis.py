"""The trip policy, whatever the facts: what must never happen, and what always must."""

from datetime import datetime, time, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from odoo.addons.prepaid_billing.policy import Facts, Policy, decide
from odoo.addons.prepaid_billing.policy.hours import is_allowed, next_allowed
from odoo.tests import BaseCase, tagged

NOW = datetime(2026, 11, 20, 4, 0)
LAST_LEVEL = 2
INSTANTS = st.none() | st.integers(-72, 72).map(lambda hours: NOW + timedelta(hours=hours))
PAST = st.none() | st.integers(0, 96).map(lambda hours: NOW - timedelta(hours=hours))
MOMENTS = st.integers(0, 60 * 24 * 8).map(lambda minutes: NOW + timedelta(minutes=minutes))
FACTS = st.builds(
    Facts,
    balance=st.decimals(-200, 200, places=2),
    fees_waiting=st.decimals(0, 100, places=2),
    daily_cost=st.none() | st.decimals(0, 50, places=2),
    reading_at=PAST,
    is_plausible=st.booleans(),
    has_pending_payment=st.booleans(),
    due_since=PAST,
    warned_at=st.dictionaries(st.integers(1, 2), PAST.filter(bool), max_size=2),
    is_tripped=st.booleans(),
    has_switch=st.booleans(),
    keep_power_until=INSTANTS,
    special_supply_until=INSTANTS,
    is_mass_blocked=st.booleans(),
)
POLICIES = st.builds(
    Policy,
    is_prepaid=st.booleans(),
    warn_amounts=st.just((Decimal(50), Decimal(20))),
    trip_at=st.decimals(-50, 10, places=2),
    credit_limit=st.decimals(0, 100, places=2),
    reclose_at=st.decimals(-50, 50, places=2),
    grace=st.integers(0, 24).map(lambda hours: timedelta(hours=hours)),
    warn_lead=st.integers(0, 48).map(lambda hours: timedelta(hours=hours)),
    hours=st.lists(st.tuples(st.integers(0, 23).map(time), st.integers(0, 23).map(time)), max_size=2).map(
        tuple
    ),
    weekdays=st.frozensets(st.integers(0, 6)),
    fees_count=st.booleans(),
)


def available(facts, policy):
    return facts.balance + policy.credit_limit - (facts.fees_waiting if policy.fees_count else 0)


@tagged("post_install", "-at_install")
class TestPolicy(BaseCase):
    @settings(max_examples=600, deadline=None)
    @given(FACTS, POLICIES, MOMENTS)
    def test_nobody_is_tripped_against_any_of_the_rules(self, facts, policy, now):
        decision = decide(facts, policy, now)
        if decision.state != "trip":
            return
        self.assertTrue(policy.is_prepaid and facts.has_switch and facts.is_plausible)
        self.assertLessEqual(available(facts, policy), policy.trip_at)
        self.assertFalse(facts.has_pending_payment or facts.is_mass_blocked)
        self.assertLessEqual(now - facts.reading_at, policy.reading_age_max)
        self.assertGreaterEqual(now - facts.warned_at[LAST_LEVEL], policy.warn_lead)
        self.assertGreaterEqual(now - facts.due_since, policy.grace)
        self.assertTrue(is_allowed(policy, now))
        for until in (facts.keep_power_until, facts.special_supply_until):
            self.assertFalse(until and until > now)

    @settings(max_examples=600, deadline=None)
    @given(FACTS, POLICIES, MOMENTS)
    def test_who_has_money_again_does_not_stay_dark(self, facts, policy, now):
        decision = decide(facts, policy, now)
        if facts.is_tripped and available(facts, policy) > max(policy.reclose_at, policy.trip_at):
            self.assertEqual(decision.state, "reclose")
        if decision.next_check_at:
            self.assertGreater(decision.next_check_at, now)

    @settings(max_examples=300, deadline=None)
    @given(POLICIES, MOMENTS)
    def test_the_next_allowed_hour_is_the_first_one(self, policy, now):
        at = next_allowed(policy, now)
        if at is None:
            return
        self.assertTrue(is_allowed(policy, at))
        step = now
        while step < at:
            self.assertFalse(is_allowed(policy, step))
            step += timedelta(minutes=60 - step.minute)

    def test_a_trip_happens_when_nothing_stands_in_the_way(self):
        facts = Facts(
            balance=Decimal("-1"),
            reading_at=NOW,
            due_since=NOW,
            warned_at={LAST_LEVEL: NOW - timedelta(hours=5)},
        )
        self.assertEqual(decide(facts, Policy(), NOW).state, "trip")

    def test_the_first_warning_alone_is_not_enough(self):
        facts = Facts(
            balance=Decimal("-1"), reading_at=NOW, due_since=NOW, warned_at={1: NOW - timedelta(days=9)}
        )
        decision = decide(facts, Policy(), NOW)
        self.assertEqual((decision.state, decision.blocks), ("due", ("not_warned",)))
