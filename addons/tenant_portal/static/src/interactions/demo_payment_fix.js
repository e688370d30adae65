import { registry } from "@web/core/registry";
import { Interaction } from "@web/public/interaction";

const STATES = ["done", "pending", "cancel", "error"];

/**
 * Odoo 19's Chinese translation of payment_demo also translates the *values* of this list ("完成" for "done"), so that
 * each demo payment in Chinese ends as an error. Only the pretended provider has this list; real ones are not touched.
 */
export class DemoPaymentFix extends Interaction {
    static selector = "#simulated_payment_state";

    start() {
        const options = [...this.el.options];
        if (options.length === STATES.length) {
            options.forEach((option, index) => (option.value = STATES[index]));
        }
    }
}

registry.category("public.interactions").add("tenant_portal.demo_payment_fix", DemoPaymentFix);
