import { loadBundle } from "@web/core/assets";
import { registry } from "@web/core/registry";
import { Interaction } from "@web/public/interaction";

// Blue and orange stay apart for every kind of colour vision; the period before is a line, not only another colour.
const NOW = "#0b5cad";
const BEFORE = "#c05a00";

/** Use or cost of a period as bars, what it is compared with as a line. The list below the chart says the same in words. */
export class UtilityChart extends Interaction {
    static selector = ".tp-chart";
    dynamicContent = {
        "[data-measure]": { "t-on-click": this.onMeasure },
    };

    async willStart() {
        await loadBundle("web.chartjs_lib");
    }

    start() {
        this.data = JSON.parse(this.el.dataset.chart);
        this.registerCleanup(() => this.chart?.destroy());
        this.draw(this.el.dataset.measure || "quantity");
    }

    onMeasure(ev) {
        for (const button of this.el.querySelectorAll("[data-measure]")) {
            button.classList.toggle("active", button === ev.currentTarget);
        }
        this.draw(ev.currentTarget.dataset.measure);
    }

    draw(measure) {
        this.chart?.destroy();
        this.chart = new window.Chart(this.el.querySelector("canvas"), {
            data: { labels: this.data.labels, datasets: this.getDatasets(measure) },
            options: this.getOptions(this.data.units[measure], measure === "amount"),
        });
    }

    getDatasets(measure) {
        const before = this.data[`${measure}_before`];
        const line = {
            type: "line",
            label: this.data.name_before,
            data: before,
            borderColor: BEFORE,
            backgroundColor: BEFORE,
            borderDash: [4, 3],
            borderWidth: 2,
            pointRadius: 0,
            pointStyle: "line",
        };
        const bars = {
            type: "bar",
            label: this.data.name,
            data: this.data[measure],
            backgroundColor: NOW,
            pointStyle: "rect",
        };
        return before.some((value) => value) ? [line, bars] : [bars];
    }

    getOptions(unit, isMoney) {
        return {
            maintainAspectRatio: false,
            animation: false,
            interaction: { mode: "index", intersect: false },
            scales: {
                x: { grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 12 } },
                y: {
                    beginAtZero: true,
                    title: { display: !isMoney, text: unit },
                    ticks: { maxTicksLimit: 6, callback: (value) => (isMoney ? `${unit}${value}` : value) },
                },
            },
            plugins: {
                legend: { position: "bottom", labels: { usePointStyle: true, pointStyleWidth: 24 } },
                tooltip: { callbacks: { title: ([item]) => `${this.data.axis} ${item.label}`.trim() } },
            },
        };
    }
}

registry.category("public.interactions").add("tenant_portal.utility_chart", UtilityChart);
