"""Supply plans and recovery as Odoo sends them; a wrong one is named, and its meter is read all the same."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from meter_connector.model import AutoRecovery, SiteConfig
from site_documents import document


def site(**keys: Any) -> SiteConfig:
    given = copy.deepcopy(document())
    given["gateways"][0]["buses"][0]["meters"][0] |= keys
    return SiteConfig.from_document(given)


def test_a_plan_and_recovery_are_read() -> None:
    periods = [{"weekdays": [1, 5], "from": "08:00", "to": "24:00"}, {"from": "22:00", "to": "06:00"}]
    found = site(
        supply_plan={"periods": periods, "kept_by": "connector"},
        auto_recovery={"tries": 2, "delay_s": 30, "stable_s": 600},
        imei="861428041234567",
    )
    assert found.problems == ()
    _gateway, _bus, meter = next(found.meters())
    assert meter.supply_plan is not None
    assert [(p.begin, p.end) for p in meter.supply_plan.periods] == [(480, 1440), (1320, 360)]
    assert [len(p.weekdays) for p in meter.supply_plan.periods] == [2, 7]
    assert meter.auto_recovery == AutoRecovery(2, 30, 600)
    assert meter.imei == "861428041234567"


@pytest.mark.parametrize(
    "keys",
    [
        {"supply_plan": {"periods": [{"weekdays": [0], "from": "08:00", "to": "22:00"}]}},
        {"supply_plan": {"periods": [{"from": "08:00", "to": "08:00"}]}},
        {"supply_plan": {"periods": [{"from": "8", "to": "22:00"}]}},
        {"supply_plan": {"periods": [{"from": "08:00", "to": "24:01"}]}},
        {"supply_plan": {"periods": [], "kept_by": "nobody"}},
        {"auto_recovery": {"tries": 0}},
    ],
)
def test_a_wrong_one_is_named_and_the_meter_is_read(keys: dict[str, Any]) -> None:
    found = site(**keys)
    (problem,) = found.problems
    assert next(iter(keys)) in problem
    _gateway, _bus, meter = next(found.meters())
    assert meter.supply_plan is None
    assert meter.auto_recovery is None


def test_a_wrong_token_is_named() -> None:
    found = SiteConfig.from_document({**document(), "nbiot": {"enabled": True, "path_token_sha256": "xyz"}})
    assert any("path_token_sha256" in problem for problem in found.problems)
    assert not found.nbiot.enabled
