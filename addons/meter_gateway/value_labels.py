"""Names of values, of their parts and of the bits of status words, as people call them. No models in here."""

import re

_BIT_OF_WORD = re.compile(r"word (\d) (\w+)")
_PART_OF_RECORD = re.compile(r".+ record \d+ (.+)")
_NUMBERED = re.compile(r"(.+?)_(\d+)")


def find_value_label(env, name):
    """The label in the user's language: of an item (``voltage_b``), a part (``voltage B``, ``trip record 1 time``) or a bit
    (``relay_open``, ``word 3 relay_open``); the name itself where there is none.
    """
    if match := _BIT_OF_WORD.fullmatch(name or ""):
        return f"{env._('Status word %s', match[1])}: {find_value_label(env, match[2])}"
    if match := _PART_OF_RECORD.fullmatch(name or ""):
        return find_value_label(env, match[1])
    key = re.sub(r"[^a-z0-9]+", "_", (name or "").lower()).strip("_")
    labels = _get_quantities(env) | _get_records(env) | _get_bits(env)
    if key in labels and "%s" not in labels[key]:
        return labels[key]
    if (match := _NUMBERED.fullmatch(key)) and "%s" in labels.get(match[1], ""):
        return labels[match[1]] % int(match[2])
    return name or ""


def _get_quantities(env):
    _ = env._
    found = {
        "total": _("Total"),
        "t1": _("Sharp"),
        "t2": _("Peak"),
        "t3": _("Flat"),
        "t4": _("Valley"),
        "switch": _("Switch"),
        "energies": _("Energies"),
        "forward_active": _("Forward active energy"),
        "forward_active_total_energy": _("Forward active energy"),
        "reverse_total": _("Reverse active energy"),
        "reverse_active": _("Reverse active energy"),
        "reverse_active_total_energy": _("Reverse active energy"),
        "combined_total": _("Combined active energy"),
        "combined_reactive_1_total_energy": _("Combined reactive energy 1"),
        "combined_reactive_2_total_energy": _("Combined reactive energy 2"),
        "month_total": _("Total, %s months ago"),
        "month_energies": _("Energies, %s months ago"),
        "day_time": _("Daily freeze %s: time"),
        "day_energies": _("Daily freeze %s: energies"),
        "neutral_current": _("Neutral current"),
        "frequency": _("Frequency"),
        "grid_frequency": _("Frequency"),
        "temperature": _("Temperature"),
        "clock_battery": _("Clock battery"),
        "reader_battery": _("Reader battery"),
        "active_demand": _("Active demand"),
        "reactive_demand": _("Reactive demand"),
        "remaining_energy": _("Remaining energy"),
        "overdraft_energy": _("Overdraft energy"),
        "remaining_amount": _("Remaining amount"),
        "overdraft_amount": _("Overdraft amount"),
        "purchase_count": _("Purchase count"),
        "date": _("Date"),
        "time": _("Time"),
        "clock": _("Clock"),
        "address": _("Address"),
        "meter_number": _("Meter number"),
        "asset_code": _("Asset code"),
        "status": _("Status word %s"),
        "status_word": _("Status word %s"),
        "status_words": _("Status words"),
    }
    lines = {
        "voltage": _("Voltage"),
        "current": _("Current"),
        "power": _("Active power"),
        "active_power": _("Active power"),
        "reactive_power": _("Reactive power"),
        "apparent_power": _("Apparent power"),
        "power_factor": _("Power factor"),
    }
    for stem, label in lines.items():
        found |= {stem: label, f"{stem}s": label, f"{stem}_total": label}
        found |= {f"{stem}_{line}": f"{label} {line.upper()}" for line in "abc"}
    for key, unit in (("voltage_v", "voltage"), ("current_a", "current"), ("power_kw", "power")):
        found[key] = lines[unit]
    found |= {f"quadrant_{n}_reactive": _("Reactive energy, quadrant %s", n) for n in range(1, 5)}
    found |= {f"quadrant_{n}_reactive_total_energy": found[f"quadrant_{n}_reactive"] for n in range(1, 5)}
    return found


def _get_records(env):
    """Counts and records, and the keys of an event's data."""
    _ = env._
    return {
        "trip_count": _("Trips counted"),
        "trip_record": _("Trip %s"),
        "close_count": _("Closings counted"),
        "close_record": _("Closing %s"),
        "programming_count": _("Settings written: count"),
        "programming_record": _("Settings written %s"),
        "clear_count": _("Registers cleared: count"),
        "clear_record": _("Registers cleared %s"),
        "cover_open_count": _("Cover openings counted"),
        "cover_open_record": _("Cover opening %s"),
        "power_loss_count": _("Power losses counted"),
        "power_loss_record": _("Power loss %s"),
        "count": _("Count"),
        "new": _("Since the last look"),
        "begin": _("Begin"),
        "start": _("Begin"),
        "end": _("End"),
        "operator": _("Operator code"),
        "identifiers": _("Identifiers written"),
        "phases": _("Phases"),
        "batteries": _("Batteries"),
        "reader": _("Reader"),
        "rest": _("Further bytes"),
    }


def _get_bits(env):
    """Bits of the status words of DL/T 645-2007, and of the valve of CJ/T 188."""
    _ = env._
    found = {
        "external_switch": _("External switch"),
        "is_demand_sliding": _("Sliding demand"),
        "clock_battery_low": _("Clock battery low"),
        "reader_battery_low": _("Reader battery low"),
        "active_power_reverse": _("Active power reversed"),
        "reactive_power_reverse": _("Reactive power reversed"),
        "day_slot_set": _("Day tables in use"),
        "zone_set": _("Year zones in use"),
        "price_set": _("Tariff prices in use"),
        "step_set": _("Steps in use"),
        "first": _("first set"),
        "second": _("second set"),
        "supply": _("Supplied by"),
        "main": _("mains"),
        "auxiliary": _("auxiliary supply"),
        "none": _("no"),
        "energy": _("by energy"),
        "money": _("by money"),
        "programming_allowed": _("Programming allowed"),
        "relay_open": _("Relay open"),
        "relay_cmd_open": _("Relay ordered open"),
        "pre_trip_alarm": _("Alarm before a trip"),
        "prepaid": _("Prepaid"),
        "keep_power": _("Power is kept"),
        "identity_valid": _("Identity valid"),
        "local_account": _("Local account"),
        "remote_account": _("Remote account"),
        "voltage_loss": _("Voltage loss"),
        "under_voltage": _("Under-voltage"),
        "over_voltage": _("Over-voltage"),
        "current_loss": _("Current loss"),
        "over_current": _("Over-current"),
        "overload": _("Overload"),
        "reverse_flow": _("Reverse flow"),
        "phase_break": _("Phase break"),
        "current_break": _("Current break"),
        "voltage_sequence": _("Wrong voltage sequence"),
        "current_sequence": _("Wrong current sequence"),
        "voltage_unbalance": _("Voltage unbalance"),
        "current_unbalance": _("Current unbalance"),
        "auxiliary_power_lost": _("Auxiliary supply lost"),
        "power_down": _("Power down"),
        "demand_over_limit": _("Demand over limit"),
        "power_factor_low": _("Power factor low"),
        "severe_current_unbalance": _("Severe current unbalance"),
        "valve": _("Valve"),
        "open": _("open"),
        "closed": _("closed"),
        "abnormal": _("abnormal"),
        "battery_low": _("Low battery"),
    }
    active, reactive = _("Active power reversed"), _("Reactive power reversed")
    found |= {f"active_reverse_{line}": f"{active} {line.upper()}" for line in "abc"}
    return found | {f"reactive_reverse_{line}": f"{reactive} {line.upper()}" for line in "abc"}
