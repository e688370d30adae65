import { Component, useState } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";

/** Shows a new key once. It lives in this dialog only: closing it is the end of it. */
export class ConnectorKey extends Component {
    static template = "meter_gateway.ConnectorKey";
    static props = { ...standardActionServiceProps };

    setup() {
        this.action = useService("action");
        this.values = this.props.action.params;
        this.state = useState({ isCopied: false });
    }

    get lines() {
        const { url, database, login, key } = this.values;
        return [`url = "${url}"`, `database = "${database}"`, `login = "${login}"`, `api_key = "${key}"`].join("\n");
    }

    async copy() {
        await browser.navigator.clipboard.writeText(this.values.key);
        this.state.isCopied = true;
    }

    close() {
        this.action.doAction({ type: "ir.actions.act_window_close", infos: { noReload: false } });
    }
}

registry.category("actions").add("meter_gateway.connector_key", ConnectorKey);
