import { Component, onWillStart, onWillUnmount, useEffect, useRef } from "@odoo/owl";
import { loadBundle } from "@web/core/assets";

/** A Chart.js chart that follows its configuration; data changes are drawn without starting anew. */
export class MeterChart extends Component {
    static template = "meter_gateway.MeterChart";
    static props = {
        config: Object,
        label: { type: String, optional: true },
    };

    setup() {
        this.canvas = useRef("canvas");
        this.chart = null;
        onWillStart(() => loadBundle("web.chartjs_lib"));
        useEffect(
            (config) => this.draw(config),
            () => [this.props.config]
        );
        onWillUnmount(() => this.chart?.destroy());
    }

    draw(config) {
        if (this.chart && this.chart.config.type === config.type) {
            this.chart.data = config.data;
            this.chart.options = config.options;
            this.chart.update("none");
            return;
        }
        this.chart?.destroy();
        this.chart = new Chart(this.canvas.el, config);
    }
}

/** Colours of the page as they are now (light or dark theme). */
export function themeColor(name, fallback) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || fallback;
}
