import { RPCError, rpc } from "@web/core/network/rpc";
import { registry } from "@web/core/registry";
import { Interaction } from "@web/public/interaction";

const FAST_MS = 1000;
const SLOW_MS = 5000;
const FAST_TIMES = 60;

/** After paying: asks until the money is entered and the supply is back, and counts the seconds meanwhile. */
export class UtilityTopupDone extends Interaction {
    static selector = ".tp-done";

    setup() {
        this.asked = 0;
        this.timers = [];
    }

    start() {
        this.registerCleanup(() => this.timers.forEach((timer) => clearInterval(timer)));
        if (this.el.dataset.final) {
            return;
        }
        this.timers.push(setInterval(() => this.tick(), 1000));
        this.plan();
    }

    plan() {
        const wait = this.asked++ < FAST_TIMES ? FAST_MS : SLOW_MS;
        this.waitForTimeout(() => (document.hidden ? this.plan() : this.refresh()), wait);
    }

    async refresh() {
        let answer = {};
        try {
            answer = await this.waitFor(
                rpc(this.el.dataset.url, { tx: Number(this.el.dataset.tx) }, { silent: true })
            );
        } catch (error) {
            if (error instanceof RPCError) {
                window.location.reload();
                return;
            }
        }
        if (answer.html && answer.html !== this.html) {
            this.el.querySelector("[data-tp-state]").innerHTML = this.html = answer.html;
        }
        if (answer.is_final) {
            this.timers.forEach((timer) => clearInterval(timer));
        } else {
            this.plan();
        }
    }

    tick() {
        const clock = this.el.querySelector("[data-tp-clock]");
        if (clock) {
            clock.textContent = Number(clock.textContent) + 1;
        }
    }
}

registry.category("public.interactions").add("tenant_portal.utility_topup_done", UtilityTopupDone);
