"""Names of settings as people call them. Numbered ones share a label with the number in it. No models in here."""

import re

_NUMBERED = re.compile(r"(.+?)_(\d+)")


def find_label(env, name):
    """The label in the user's language; the key itself where there is none."""
    _ = env._
    labels = {
        "trip_delay": _("Trip delay"),
        "trip_current_threshold": _("Trip current threshold"),
        "overload_power": _("Overload event: power"),
        "overload_delay": _("Overload event: delay"),
        "malignant_power_step": _("Malignant load: power step"),
        "malignant_power_factor": _("Malignant load: power factor"),
        "temperature_limit": _("Temperature limit"),
        "auto_recovery_delay": _("Delay of auto recovery"),
        "auto_recovery_count": _("Auto recoveries before locking"),
        "slot_power_limits": _("Power limit per time slot"),
        "supply_plan": _("Timed supply"),
        "alarm_amount": _("Alarm amount %s"),
        "alarm_energy": _("Alarm energy %s"),
        "overdraft_limit": _("Overdraft limit"),
        "stock_limit": _("Stock limit"),
        "close_permitted_amount": _("Amount that permits closing"),
        "energy_stock_limit": _("Stock limit (energy)"),
        "energy_overdraft_limit": _("Overdraft limit (energy)"),
        "tariff_price_1": _("Tariff price %s, first set"),
        "tariff_price_2": _("Tariff price %s, second set"),
        "step_limit_1": _("Step limit %s, first set"),
        "step_price_1": _("Step price %s, first set"),
        "step_limit_2": _("Step limit %s, second set"),
        "step_price_2": _("Step price %s, second set"),
        "year_zone_count": _("Count of year zones"),
        "day_table_count": _("Count of day tables"),
        "day_slot_count": _("Count of day slots"),
        "tariff_count": _("Count of tariffs"),
        "holiday_count": _("Count of holidays"),
        "year_zones": _("Year zones, set %s"),
        "day_table": _("Day table %s"),
        "day_table_1": _("Day table %s, first set"),
        "day_table_2": _("Day table %s, second set"),
        "holiday": _("Holiday %s"),
        "weekend_mask": _("Weekend days"),
        "weekend_day_table": _("Day table of weekends"),
        "year_zones_switch_time": _("Other set of year zones from"),
        "day_tables_switch_time": _("Other set of day tables from"),
        "tariff_prices_switch_time": _("Other set of tariff prices from"),
        "steps_switch_time": _("Other set of steps from"),
        "settlement_day": _("Settlement day %s"),
        "reading_day": _("Reading day"),
        "price_table": _("Price table"),
        "demand_period": _("Demand period"),
        "meter_number": _("Meter number"),
        "asset_code": _("Asset code"),
        "customer_number": _("Customer number"),
        "meter_constant": _("Meter constant"),
        "ct_ratio": _("CT ratio"),
    }
    label = labels.get(name or "")
    if label is not None and "%s" not in label:
        return label
    if label is not None and not _is_counted(name, labels):
        return label.replace("%s", "").strip(" ,，")
    match = _NUMBERED.fullmatch(name or "")
    if match and "%s" in labels.get(match[1], ""):
        return labels[match[1]] % int(match[2])
    return name or ""


def _is_counted(name, labels):
    """``day_table_1`` is the first day table of a register map, and the stem of ``day_table_1_4`` elsewhere."""
    match = _NUMBERED.fullmatch(name)
    return bool(match and "%s" in labels.get(match[1], ""))
