import { Component, onMounted, onWillStart, onWillUnmount, useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";
import { AlarmList } from "./alarm_list";
import { EnergyCard } from "./energy_card";
import { RoomMap } from "./room_map";
import { SetupSteps } from "./setup_steps";

const REFRESH_MS = 10000;
/** Hourly sums change slowly: every sixth time. */
const ENERGY_EVERY = 6;

/** The app's home page: counts, energy today, alarms, and the rooms coloured by state. Refreshes by itself. */
export class MeterOverview extends Component {
    static template = "meter_gateway.Overview";
    static components = { AlarmList, EnergyCard, RoomMap, SetupSteps };
    static props = { ...standardActionServiceProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.state = useState({ data: null, siteId: false, isStale: false, refreshedAt: null });
        this.turn = 0;
        onWillStart(() => this.refresh());
        onMounted(() => {
            this.timer = setInterval(() => this.tick(), REFRESH_MS);
        });
        onWillUnmount(() => clearInterval(this.timer));
    }

    tick() {
        if (!document.hidden) {
            this.refresh();
        }
    }

    async refresh() {
        const withEnergy = this.turn % ENERGY_EVERY === 0 || !this.state.data;
        const options = { site_id: this.state.siteId, with_energy: withEnergy };
        try {
            const data = await this.orm.silent.call("meter.overview", "action_get_data", [options]);
            if (!withEnergy) {
                data.energy = this.state.data.energy;
            }
            Object.assign(this.state, { data, isStale: false, refreshedAt: luxon.DateTime.now() });
            this.turn++;
        } catch (error) {
            if (!this.state.data) {
                throw error;
            }
            // the server is away for a moment: keep what we know, say so, and try again
            this.state.isStale = true;
        }
    }

    get refreshedText() {
        const time = this.state.refreshedAt.toFormat("HH:mm:ss");
        return this.state.isStale ? _t("No answer since %s", time) : _t("Updated %s", time);
    }

    selectSite(ev) {
        this.state.siteId = parseInt(ev.target.value) || false;
        this.turn = 0;
        this.refresh();
    }

    async openCard(card) {
        if (!card.action) {
            return;
        }
        const action = await this.action.loadAction(card.action);
        const extra = card.domain ? { domain: card.domain, context: {} } : {};
        this.action.doAction({ ...action, ...extra });
    }

    openAction(xmlid) {
        this.action.doAction(xmlid);
    }

    openRecord(model, id) {
        this.action.doAction({
            type: "ir.actions.act_window",
            res_model: model,
            res_id: id,
            views: [[false, "form"]],
        });
    }
}

registry.category("actions").add("meter_gateway.overview", MeterOverview);
