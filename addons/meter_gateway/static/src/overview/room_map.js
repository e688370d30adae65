import { Component, useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";

/** States of property.unit._get_overview_state() in the order of the legend. */
const STATE_NAMES = {
    alarm: _t("Alarm"),
    tripped: _t("Switched Off"),
    warning: _t("Low Balance"),
    offline: _t("Offline"),
    normal: _t("Normal"),
    occupied: _t("Occupied"),
    vacant: _t("Vacant"),
    blocked: _t("Blocked"),
    public: _t("Public Area"),
};

/** The buildings' rooms per floor, coloured by state. A click on the legend shows one state only. */
export class RoomMap extends Component {
    static template = "meter_gateway.RoomMap";
    static props = { buildings: Array, open: Function };

    setup() {
        this.state = useState({ only: "" });
    }

    get legend() {
        const counts = {};
        for (const building of this.props.buildings) {
            for (const floor of building.floors) {
                for (const unit of floor.units) {
                    counts[unit.state] = (counts[unit.state] || 0) + 1;
                }
            }
        }
        const known = Object.keys(STATE_NAMES).filter((state) => counts[state]);
        const others = Object.keys(counts).filter((state) => !(state in STATE_NAMES));
        return [...known, ...others].map((state) => ({
            state,
            name: STATE_NAMES[state] || state,
            count: counts[state],
        }));
    }

    countUnits(building) {
        return building.floors.reduce((sum, floor) => sum + floor.units.length, 0);
    }

    toggle(state) {
        this.state.only = this.state.only === state ? "" : state;
    }

    isDim(unit) {
        return this.state.only && this.state.only !== unit.state;
    }
}
