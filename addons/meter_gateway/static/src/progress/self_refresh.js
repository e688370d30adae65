import { Component, onMounted, onWillUnmount } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";

const PAUSE_MS = 3000;

/** Loads the record again every few seconds, so that long work moves on the screen by itself. Put it where it is invisible
 * once the work is done: what is not shown does not ask. What somebody is typing is left alone. */
export class SelfRefresh extends Component {
    static template = "meter_gateway.SelfRefresh";
    static props = { ...standardWidgetProps };

    setup() {
        this.isAsking = false;
        onMounted(() => {
            this.timer = setInterval(() => document.hidden || this.isAsking || this.ask(), PAUSE_MS);
        });
        onWillUnmount(() => clearInterval(this.timer));
    }

    async ask() {
        const record = this.props.record;
        this.isAsking = true;
        try {
            if (record.resId && !(await record.isDirty())) {
                await record.load();
            }
        } catch {
            // the server is away for a moment; the next turn tries again
        } finally {
            this.isAsking = false;
        }
    }
}

registry.category("view_widgets").add("meter_self_refresh", { component: SelfRefresh });
