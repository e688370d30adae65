import { registry } from "@web/core/registry";

registry.category("web_tour.tours").add("tenant_portal_topup", {
    url: "/my/utility",
    steps: () => [
        {
            content: "first tap",
            trigger: "[data-testid=topup]",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "second tap",
            trigger: "[data-testid=amount-100]",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "the way to pay is chosen already",
            trigger: "input[name=o_payment_radio]:checked",
        },
        {
            content: "third tap",
            trigger: "button[name=o_payment_submit_button]:enabled:contains(100.00)",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "paid",
            trigger: "[data-testid=paid]",
        },
    ],
});

registry.category("web_tour.tours").add("tenant_portal_live", {
    url: "/my/utility",
    steps: () => [
        { trigger: ".tp-live [data-testid=balance]" },
        {
            content: "a newer balance appears by itself",
            trigger: ".tp-live [data-testid=balance]:contains(1,234.50)",
            timeout: 20000,
        },
    ],
});
