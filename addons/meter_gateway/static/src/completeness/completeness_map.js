import { Component, onWillStart, useEffect, useRef, useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";

/** A month at a glance: which gateways, then which of their meters, miss readings on which day. */
export class CompletenessMap extends Component {
    static template = "meter_gateway.CompletenessMap";
    static props = { ...standardActionServiceProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.state = useState({ data: null });
        onWillStart(() => this.load({}));
        // on a narrow screen the newest days are what people look for
        const scroll = useRef("scroll");
        useEffect(
            (data) => {
                const last = data.rows.length ? this.findLastDay(data.rows) : -1;
                const cells = scroll.el && scroll.el.querySelectorAll("thead th");
                if (cells && last > 0) {
                    const cell = cells[last + 1];
                    scroll.el.scrollLeft = cell.offsetLeft + cell.offsetWidth - scroll.el.clientWidth + 8;
                }
            },
            () => [this.state.data]
        );
    }

    async load(options) {
        this.state.data = await this.orm.call("meter.completeness", "action_get_map", [options]);
    }

    /** Index of the newest day that any row has a cell for. */
    findLastDay(rows) {
        return Math.max(...rows.map((row) => row.cells.findLastIndex(Boolean)));
    }

    get monthName() {
        return luxon.DateTime.fromISO(this.state.data.month + "-01").toFormat("LLLL yyyy");
    }

    moveMonth(step) {
        const month = luxon.DateTime.fromISO(this.state.data.month + "-01").plus({ months: step });
        this.load({ month: month.toFormat("yyyy-MM"), gateway_id: this.state.data.gateway_id });
    }

    leaveGateway() {
        this.load({ month: this.state.data.month });
    }

    openRow(row) {
        const { month, gateway_id } = this.state.data;
        if (gateway_id) {
            this.openRecord(row.id);
        } else {
            this.load({ month, gateway_id: row.id });
        }
    }

    openRecord(id) {
        this.action.doAction({
            type: "ir.actions.act_window",
            res_model: "meter.meter",
            res_id: id,
            views: [[false, "form"]],
        });
    }

    async openCell(row, day) {
        const field = this.state.data.gateway_id ? "meter_id" : "gateway_id";
        const action = await this.action.loadAction("meter_gateway.meter_completeness_action");
        this.action.doAction({
            ...action,
            name: `${row.name} ${day}`,
            domain: [[field, "=", row.id], ["day", "=", day]],
            context: {},
        });
    }

    shade(cell) {
        if (!cell) {
            return "none";
        }
        if (!cell.missing) {
            return cell.late ? "late" : "full";
        }
        if (cell.percent >= this.state.data.threshold) {
            return "good";
        }
        return cell.percent >= 50 ? "low" : "bad";
    }

    label(cell) {
        return cell ? (cell.percent >= 99.95 ? "✓" : Math.floor(cell.percent)) : "";
    }

    describe(cell, day) {
        if (!cell) {
            return day;
        }
        return `${day}  ${cell.percent}%\n` + _t(
            "%(received)s of %(expected)s received, %(late)s late, %(missing)s missing", cell
        );
    }
}

registry.category("actions").add("meter_gateway.completeness", CompletenessMap);
