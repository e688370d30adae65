import { Component, useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { formatFloat } from "@web/core/utils/numbers";
import { MeterChart, themeColor } from "../chart/meter_chart";

const COLORS = { power: "#f5a623", water: "#2f9bf4", hot_water: "#f06543", gas: "#8a63d2", heat: "#e0457b" };

/** Use per hour, today against yesterday. */
export class EnergyCard extends Component {
    static template = "meter_gateway.EnergyCard";
    static components = { MeterChart };
    static props = { energy: Object };

    setup() {
        this.state = useState({ code: "" });
    }

    get kind() {
        const kinds = this.props.energy.kinds;
        return kinds.find((kind) => kind.code === this.state.code) || kinds[0];
    }

    select(kind) {
        this.state.code = kind.code;
    }

    number(value) {
        return formatFloat(value, { digits: [16, value >= 1000 ? 0 : 1] });
    }

    /** Change against the same hours of yesterday, in percent; null when there is nothing to compare. */
    get change() {
        const { today, total_yesterday_so_far: before } = this.kind;
        const hour = this.props.energy.hour;
        const now = today.slice(0, hour).reduce((sum, value) => sum + (value || 0), 0);
        return before > 0 && hour > 0 ? Math.round((now / before - 1) * 100) : null;
    }

    get config() {
        const kind = this.kind;
        const color = COLORS[kind.code] || "#2f9bf4";
        const grid = themeColor("--o-meter-grid", "rgba(128, 128, 128, 0.15)");
        const text = themeColor("--o-meter-muted", "#8a94a6");
        return {
            type: "bar",
            data: {
                labels: Array.from({ length: 24 }, (_item, hour) => `${hour}`.padStart(2, "0")),
                datasets: [
                    {
                        label: _t("Today"),
                        data: kind.today.map((value) => (value === false ? null : value)),
                        backgroundColor: color,
                        borderRadius: 4,
                        maxBarThickness: 18,
                        order: 2,
                    },
                    {
                        type: "line",
                        label: _t("Yesterday"),
                        data: kind.yesterday,
                        borderColor: text,
                        borderWidth: 1.5,
                        borderDash: [4, 3],
                        pointRadius: 0,
                        tension: 0.35,
                        order: 1,
                    },
                ],
            },
            options: {
                responsive: true,
                maintainAspectRatio: false,
                animation: false,
                interaction: { mode: "index", intersect: false },
                plugins: {
                    legend: { align: "end", labels: { boxWidth: 12, boxHeight: 8, color: text } },
                    tooltip: {
                        callbacks: {
                            title: (items) => `${items[0].label}:00 – ${items[0].label}:59`,
                            label: (item) => `${item.dataset.label}: ${this.number(item.raw || 0)} ${kind.unit}`,
                        },
                    },
                },
                scales: {
                    x: { grid: { display: false }, ticks: { color: text, maxRotation: 0, autoSkipPadding: 12 } },
                    y: { beginAtZero: true, grid: { color: grid }, ticks: { color: text, maxTicksLimit: 6 } },
                },
            },
        };
    }
}
