import { rpc } from "@web/core/network/rpc";
import { registry } from "@web/core/registry";
import { Interaction } from "@web/public/interaction";

const ASK_MS = 2000;
const ASK_AFTER_END_MS = 10000;

/** Counts down, and asks the server until the payment is known; then Odoo's own status page takes over. */
export class AlipayQrPage extends Interaction {
    static selector = ".o_alipay_qr";
    dynamicContent = {
        ".o_alipay_qr_time": { "t-out": () => this.timeText },
        ".o_alipay_qr_open": { "t-att-class": () => ({ "d-none": !this.secondsLeft }) },
        ".o_alipay_qr_over": { "t-att-class": () => ({ "d-none": Boolean(this.secondsLeft) }) },
    };

    setup() {
        this.transactionId = this.el.dataset.transactionId;
        this.accessToken = this.el.dataset.accessToken;
        this.setSecondsLeft(Number(this.el.dataset.secondsLeft));
    }

    start() {
        this.tick();
        this.ask();
    }

    get secondsLeft() {
        return Math.max(0, Math.ceil((this.endsAt - performance.now()) / 1000));
    }

    get timeText() {
        const seconds = this.secondsLeft;
        return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    }

    setSecondsLeft(seconds) {
        this.endsAt = performance.now() + seconds * 1000;
    }

    tick() {
        this.updateContent();
        this.waitForTimeout(() => this.tick(), 500);
    }

    ask() {
        const pause = this.secondsLeft ? ASK_MS : ASK_AFTER_END_MS;
        this.waitForTimeout(async () => {
            try {
                const state = await this.waitFor(
                    rpc(
                        `/payment/alipay/qr/${this.transactionId}/status`,
                        { access_token: this.accessToken },
                        { silent: true }
                    )
                );
                if (state.is_final) {
                    window.location = "/payment/status";
                    return;
                }
                this.setSecondsLeft(state.seconds_left);
            } catch {
                // no connection for a moment: ask again
            }
            this.ask();
        }, pause);
    }
}

registry.category("public.interactions").add("payment_alipay.qr_page", AlipayQrPage);
