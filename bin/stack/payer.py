"""A tenant who tops up, without a browser: signs in, chooses how to pay, and is where the gateway takes over."""

from __future__ import annotations

from typing import Any

import requests
from lxml import html

TIMEOUT_S = 60


class Payer:
    """One signed-in tenant. Raises AssertionError with the server's words when a step is refused."""

    def __init__(self, url: str, database: str, login: str, password: str, contract_id: int):
        self.url, self.contract_id = url, contract_id
        self.session = requests.Session()
        self._json("/web/session/authenticate", {"db": database, "login": login, "password": password})

    def _json(self, path: str, params: dict[str, Any]) -> Any:
        body = {"jsonrpc": "2.0", "method": "call", "params": params}
        answer = self.session.post(self.url + path, json=body, timeout=TIMEOUT_S).json()
        assert "error" not in answer, f"{path}: {answer['error']['data']['message']}"
        return answer["result"]

    def _page(self, path: str, **query: str) -> Any:
        answer = self.session.get(self.url + path, params=query, timeout=TIMEOUT_S)
        assert answer.ok, f"{path}: {answer.status_code}"
        return html.fromstring(answer.content)

    def order(self, amount: str, provider_code: str) -> str:
        """Order a top-up and open the page that asks the gateway for it. Returns the reference."""
        page = self._page(f"/my/utility/{self.contract_id}/topup", amount=amount)
        form = page.xpath("//form[@id='o_payment_form']")[0]
        option = form.xpath(f".//input[@name='o_payment_radio'][@data-provider-code='{provider_code}']")[0]
        values = self._json(
            form.get("data-transaction-route"),
            {
                "provider_id": int(option.get("data-provider-id")),
                "payment_method_id": int(option.get("data-payment-option-id")),
                "token_id": None,
                "amount": float(amount),
                "flow": "redirect",
                "tokenization_requested": False,
                "landing_route": form.get("data-landing-route"),
                "is_validation": False,
                "access_token": form.get("data-access-token"),
            },
        )
        redirect = html.fromstring(values["redirect_form_html"])
        hidden = {field.get("name"): field.get("value") for field in redirect.xpath(".//input[@name]")}
        address = redirect.get("action") or redirect.xpath(".//form/@action")[0]
        answer = self.session.get(
            requests.compat.urljoin(self.url, address), params=hidden, timeout=TIMEOUT_S
        )
        assert answer.ok, f"{address}: {answer.status_code}"
        return str(values["reference"])
