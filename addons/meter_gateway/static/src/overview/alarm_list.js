import { Component } from "@odoo/owl";
import { deserializeDateTime } from "@web/core/l10n/dates";

/** The gravest unresolved alarms. */
export class AlarmList extends Component {
    static template = "meter_gateway.AlarmList";
    static props = { alarms: Array, open: Function, openAll: Function };

    since(alarm) {
        return deserializeDateTime(alarm.opened_at).toRelative();
    }
}
