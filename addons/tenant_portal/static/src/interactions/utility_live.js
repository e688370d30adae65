import { RPCError, rpc } from "@web/core/network/rpc";
import { registry } from "@web/core/registry";
import { Interaction } from "@web/public/interaction";

const LONGEST_S = 60;

/** The overview asks for what changed every few seconds, while somebody looks at it. */
export class UtilityLive extends Interaction {
    static selector = ".tp-live";
    dynamicContent = {
        _document: { "t-on-visibilitychange": this.onVisibilityChange },
    };

    setup() {
        this.nextS = Number(this.el.dataset.next) || 5;
        this.failures = 0;
        this.timer = null;
        this.html = {};
    }

    start() {
        this.plan(this.nextS);
        this.registerCleanup(() => clearTimeout(this.timer));
    }

    onVisibilityChange() {
        clearTimeout(this.timer);
        if (!document.hidden) {
            this.refresh();
        }
    }

    plan(seconds) {
        clearTimeout(this.timer);
        if (!document.hidden) {
            this.timer = setTimeout(() => this.refresh(), seconds * 1000);
        }
    }

    async refresh() {
        try {
            const { parts, next_s } = await this.waitFor(rpc(this.el.dataset.url, {}, { silent: true }));
            this.failures = 0;
            this.nextS = next_s;
            this.show(parts);
        } catch (error) {
            if (error instanceof RPCError) {
                window.location.reload(); // signed out, or no longer ours: the page itself says what is wrong
                return;
            }
            this.failures++;
        }
        this.el.querySelector(".tp-stale").classList.toggle("d-none", !this.failures);
        this.plan(Math.min(this.nextS * 2 ** this.failures, LONGEST_S));
    }

    /** Pieces rendered by the server; those that did not change stay, so that nothing jumps under a finger. */
    show(parts) {
        for (const [name, html] of Object.entries(parts)) {
            if (this.html[name] !== html) {
                this.el.querySelector(`[data-tp-part="${name}"]`).innerHTML = html;
                this.html[name] = html;
            }
        }
    }
}

registry.category("public.interactions").add("tenant_portal.utility_live", UtilityLive);
