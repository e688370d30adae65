import { ConnectionLostError, rpc } from "@web/core/network/rpc";
import { registry } from "@web/core/registry";
import { Interaction } from "@web/public/interaction";

const POLL_MS = 2000;
const POLL_SLOW_MS = 10000;
/** After the time to pay is over a payment may still be on its way; the page keeps an eye on it this long. */
const POLL_AFTER_EXPIRY_MS = 120000;

/**
 * The payment page: counts down, notices the payment by itself, and inside WeChat opens the payment window.
 *
 * What WeChat's window reports back is never taken for a payment: only the server's answer leads on.
 */
export class WechatpayPay extends Interaction {
    static selector = ".o_wechatpay_pay";
    dynamicContent = {
        ".o_wechatpay_start": { "t-on-click": this.onStart },
        ".o_wechatpay_app": { "t-on-click": this.onApp },
        ".o_wechatpay_reload": { "t-on-click.prevent": () => window.location.reload() },
    };

    start() {
        this.endsAt = Date.now() + 1000 * parseInt(this.el.dataset.secondsLeft || "0");
        this.countdown = this.el.querySelector(".o_wechatpay_countdown");
        if (this.countdown) {
            this.tick();
        }
        if (this.el.querySelector(".o_wechatpay_waiting")) {
            this.poll();
        }
        if (this.el.dataset.kind === "jsapi" && this.el.dataset.jsapi) {
            this.onBridgeReady(() => this.onStart());
        }
    }

    show(name, visible = true) {
        this.el.querySelector(`.o_wechatpay_${name}`)?.classList.toggle("d-none", !visible);
    }

    // #=== TIME ===#

    tick() {
        const left = Math.max(0, Math.ceil((this.endsAt - Date.now()) / 1000));
        const seconds = String(left % 60).padStart(2, "0");
        this.countdown.textContent = `${Math.floor(left / 60)}:${seconds}`;
        if (left) {
            this.waitForTimeout(() => this.tick(), 1000);
        } else {
            this.show("waiting", false);
            this.show("qr", false);
            this.show("start", false);
            this.show("app", false);
            this.show("expired");
        }
    }

    // #=== STATE ===#

    async poll() {
        const isExpired = this.countdown && Date.now() > this.endsAt;
        try {
            const { is_final } = await this.waitFor(
                rpc(this.el.dataset.statusRoute, { access_token: this.el.dataset.accessToken }, { silent: true })
            );
            if (is_final) {
                window.location = "/payment/status";
                return;
            }
        } catch (error) {
            if (!(error instanceof ConnectionLostError)) {
                throw error;
            }
        }
        if (!isExpired || Date.now() < this.endsAt + POLL_AFTER_EXPIRY_MS) {
            const delay = document.hidden || isExpired ? POLL_SLOW_MS : POLL_MS;
            this.waitForTimeout(() => this.poll(), delay);
        }
    }

    // #=== INSIDE WECHAT ===#

    onBridgeReady(callback) {
        if (window.WeixinJSBridge) {
            callback();
        } else {
            this.addListener(document, "WeixinJSBridgeReady", callback);
        }
    }

    onStart() {
        this.show("failed", false);
        window.WeixinJSBridge?.invoke(
            "getBrandWCPayRequest",
            JSON.parse(this.el.dataset.jsapi),
            this.protectSyncAfterAsync(({ err_msg }) => {
                const isOk = err_msg === "get_brand_wcpay_request:ok";
                this.show("checking", isOk);
                this.show("failed", !isOk);
            })
        );
    }

    onApp() {
        this.show("checking");
    }
}

registry.category("public.interactions").add("payment_wechatpay.pay", WechatpayPay);
