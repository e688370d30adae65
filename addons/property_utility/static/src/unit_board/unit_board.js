import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { KanbanRenderer } from "@web/views/kanban/kanban_renderer";
import { kanbanView } from "@web/views/kanban/kanban_view";

/** States of property.unit._get_overview_state() in the order of the legend. */
const STATE_NAMES = {
    occupied: _t("Occupied"),
    normal: _t("Normal"),
    warning: _t("Low Balance"),
    tripped: _t("Tripped"),
    offline: _t("Offline"),
    alarm: _t("Alarm"),
    vacant: _t("Vacant"),
    blocked: _t("Blocked"),
    public: _t("Public Area"),
};

/** Floors as rows, units as tiles, and a legend that counts the states of the units on the screen. */
export class UnitBoardRenderer extends KanbanRenderer {
    static template = "property_utility.UnitBoardRenderer";

    get legend() {
        const { list } = this.props;
        const records = list.isGrouped ? list.groups.flatMap((group) => group.list.records) : list.records;
        const counts = {};
        for (const { data } of records) {
            const isPublic = data.kind === "public" && data.overview_state === "vacant";
            const state = isPublic ? "public" : data.overview_state;
            counts[state] = (counts[state] || 0) + 1;
        }
        return Object.entries(STATE_NAMES)
            .filter(([state]) => counts[state])
            .map(([state, name]) => ({ state, name, count: counts[state] }));
    }
}

registry.category("views").add("property_unit_board", { ...kanbanView, Renderer: UnitBoardRenderer });
