import { Component } from "@odoo/owl";

/** What is still to be done before the page has something to show. */
export class SetupSteps extends Component {
    static template = "meter_gateway.SetupSteps";
    static props = { steps: Array, open: Function };

    isNext(step) {
        return step === this.props.steps.find((item) => !item.done);
    }
}
