import { Component, onMounted, onWillStart, onWillUnmount, onWillUpdateProps, useState } from "@odoo/owl";
import { deserializeDateTime } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { formatFloat } from "@web/core/utils/numbers";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";
import { MeterChart, themeColor } from "../chart/meter_chart";

const LIVE_MS = 5000;
const CURVE_EVERY = 6;
const PERIODS = [
    { key: "24h", name: _t("24 hours") },
    { key: "7d", name: _t("7 days") },
    { key: "30d", name: _t("30 days") },
];

/** Live values of a meter, its switch, and its readings as a curve. Refreshes by itself. */
export class MeterPanel extends Component {
    static template = "meter_gateway.MeterPanel";
    static components = { MeterChart };
    static props = { ...standardWidgetProps };

    setup() {
        this.orm = useService("orm");
        this.periods = PERIODS;
        this.state = useState({ panel: null, curve: null, circuitId: false, period: "24h" });
        this.turn = 0;
        onWillStart(() => this.load(this.props.record.resId));
        onWillUpdateProps((next) => this.load(next.record.resId));
        onMounted(() => {
            this.timer = setInterval(() => document.hidden || this.refresh(), LIVE_MS);
        });
        onWillUnmount(() => clearInterval(this.timer));
    }

    async load(meterId) {
        if (meterId !== this.meterId) {
            Object.assign(this.state, { panel: null, curve: null, circuitId: false });
            this.meterId = meterId;
        }
        if (meterId) {
            await this.loadPanel();
            await this.loadCurve();
        }
    }

    async refresh() {
        if (!this.meterId) {
            return;
        }
        try {
            await this.loadPanel();
            this.turn++;
            if (this.turn % CURVE_EVERY === 0) {
                await this.loadCurve();
            }
        } catch {
            // the server is away for a moment; the next turn tries again
        }
    }

    async loadPanel() {
        this.state.panel = await this.orm.silent.call("meter.meter", "action_get_panel", [[this.meterId]]);
        const ids = this.state.panel.circuits.map((circuit) => circuit.id);
        if (!ids.includes(this.state.circuitId)) {
            this.state.circuitId = ids[0];
        }
    }

    async loadCurve() {
        if (this.state.circuitId) {
            const args = [[this.meterId], this.state.circuitId, this.state.period];
            this.state.curve = await this.orm.silent.call("meter.meter", "action_get_curve", args);
        }
    }

    get circuit() {
        return this.state.panel.circuits.find((circuit) => circuit.id === this.state.circuitId);
    }

    get age() {
        return this.circuit.at ? deserializeDateTime(this.circuit.at).toRelative() : "";
    }

    get extras() {
        return this.circuit.extras.map(({ label, value }) => `${label} ${value}`).join("  ·  ");
    }

    get tiles() {
        const live = ["voltage_v", "current_a", "power_kw", "power_factor"];
        return this.circuit.values.filter(({ key }) => live.includes(key));
    }

    get rates() {
        return this.circuit.values.filter(({ key }) => ["t1", "t2", "t3", "t4"].includes(key));
    }

    selectCircuit(circuit) {
        this.state.circuitId = circuit.id;
        this.loadCurve();
    }

    selectPeriod(period) {
        this.state.period = period.key;
        this.loadCurve();
    }

    get hasCurve() {
        return Boolean(this.state.curve?.points.length);
    }

    get config() {
        const { curve, panel } = this.state;
        const text = themeColor("--o-meter-muted", "#8a94a6");
        const grid = themeColor("--o-meter-grid", "rgba(128, 128, 128, 0.15)");
        const isPower = curve.points.some((point) => point[2] !== false);
        const at = (point) => point[0] * 1000;
        const datasets = [
            {
                label: `${_t("Register")} (${panel.unit})`,
                data: curve.points.filter((p) => p[1] !== false).map((p) => ({ x: at(p), y: p[1] })),
                borderColor: "#2f9bf4",
                backgroundColor: "rgba(47, 155, 244, 0.08)",
                borderWidth: 2,
                pointRadius: 0,
                pointHitRadius: 8,
                fill: !isPower,
                tension: 0.2,
                yAxisID: "total",
                order: 1,
            },
        ];
        if (isPower) {
            datasets.push({
                label: `${_t("Power")} (kW)`,
                data: curve.points.filter((p) => p[2] !== false).map((p) => ({ x: at(p), y: p[2] })),
                borderColor: "#f5a623",
                backgroundColor: "rgba(245, 166, 35, 0.18)",
                borderWidth: 1.5,
                pointRadius: 0,
                pointHitRadius: 8,
                fill: true,
                tension: 0.25,
                yAxisID: "power",
                order: 2,
            });
        }
        const scale = (position, name, isGrid) => ({
            position,
            title: { display: true, text: name, color: text },
            grid: { color: grid, drawOnChartArea: isGrid },
            ticks: { color: text, maxTicksLimit: 6 },
        });
        return {
            type: "line",
            data: { datasets },
            options: {
                responsive: true,
                maintainAspectRatio: false,
                animation: false,
                interaction: { mode: "index", axis: "x", intersect: false },
                plugins: {
                    legend: { align: "end", labels: { boxWidth: 12, boxHeight: 2, color: text } },
                    tooltip: {
                        callbacks: {
                            title: (items) => luxon.DateTime.fromMillis(items[0].parsed.x).toFormat("MM-dd HH:mm"),
                            label: (item) => `${item.dataset.label}: ${formatFloat(item.parsed.y, { digits: [16, 3] })}`,
                        },
                    },
                },
                scales: {
                    x: {
                        type: "linear",
                        min: curve.start * 1000,
                        max: curve.end * 1000,
                        grid: { display: false },
                        ticks: {
                            color: text,
                            maxRotation: 0,
                            autoSkipPadding: 16,
                            maxTicksLimit: 9,
                            callback: (value) =>
                                luxon.DateTime.fromMillis(value).toFormat(this.state.period === "24h" ? "HH:mm" : "MM-dd"),
                        },
                    },
                    total: scale("left", panel.unit, true),
                    ...(isPower ? { power: { ...scale("right", "kW", false), beginAtZero: true } } : {}),
                },
            },
        };
    }
}

export const meterPanel = { component: MeterPanel };
registry.category("view_widgets").add("meter_panel", meterPanel);
