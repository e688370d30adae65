"""What the web client asks for when somebody opens a screen, without a browser: menus, views, and all that views show."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import requests
from lxml import etree

TIMEOUT_S = 60
ROWS = 40
X2MANY = ("one2many", "many2many")


@dataclass
class Screen:
    """A menu entry with its action."""

    menu: str
    action: dict[str, Any]


class WebClient:
    """One signed-in user. Errors of the server become AssertionError with the server's own words."""

    def __init__(self, url: str, database: str, login: str, password: str):
        self.url, self.login = url, login
        self.session = requests.Session()
        params = {"db": database, "login": login, "password": password}
        self.post("/web/session/authenticate", params)

    def post(self, path: str, params: dict[str, Any]) -> Any:
        body = {"jsonrpc": "2.0", "method": "call", "params": params}
        answer = self.session.post(self.url + path, json=body, timeout=TIMEOUT_S).json()
        error = answer.get("error")
        assert not error, f"{self.login} {path}: {error['data']['name']}: {error['data']['message']}"
        return answer["result"]

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        params = {"model": model, "method": method, "args": list(args), "kwargs": kwargs}
        return self.post(f"/web/dataset/call_kw/{model}/{method}", params)

    def screens(self, root: str) -> Iterator[Screen]:
        """Every entry with an action below the app whose menu has the XML id `root`."""
        menus = self.session.get(f"{self.url}/web/webclient/load_menus", timeout=TIMEOUT_S).json()
        app = next((menu for menu in menus.values() if menu.get("xmlid") == root), None)
        waiting = list(app["children"]) if app else []
        while waiting:
            menu = menus[str(waiting.pop())]
            waiting += menu["children"]
            if menu["actionID"]:
                action = self.post("/web/action/load", {"action_id": menu["actionID"], "context": {}})
                yield Screen(menu["xmlid"], action)

    def open(self, action: dict[str, Any]) -> list[int]:
        """Ask for all that the views of a window action show. Returns the ids of what its list had."""
        model, views = action["res_model"], action["views"]
        found = self.call(model, "get_views", views=[*views, [False, "search"]], options={})
        specs = {kind: self._spec(found, view["arch"], model) for kind, view in found["views"].items()}
        kinds = {kind for _view, kind in views}
        if kinds == {"form"}:
            self.call(model, "onchange", [], {}, [], specs["form"])
            return []
        ids: list[int] = []
        for kind in kinds & {"list", "kanban"}:
            query = {"domain": _domain(action["domain"]), "specification": specs[kind], "limit": ROWS}
            ids = [row["id"] for row in self.call(model, "web_search_read", **query)["records"]]
        if "form" in kinds:
            for record_id in ids[:3]:
                self.call(model, "web_read", [record_id], specification=specs["form"])
        return ids

    def _spec(self, found: dict[str, Any], arch: str, model: str) -> dict[str, Any]:
        return self._spec_of(found, etree.fromstring(arch), model)

    def _spec_of(self, found: dict[str, Any], element: Any, model: str) -> dict[str, Any]:
        """The fields below an element, with those of views inside x2many fields."""
        spec: dict[str, Any] = {}
        for child in element:
            if child.tag != "field" or "name" not in child.attrib:
                spec |= self._spec_of(found, child, model)
                continue
            field = found["models"][model]["fields"].get(child.attrib["name"])
            if not field:
                continue  # a filter's or a graph's own name
            if field["type"] == "many2one":
                spec[child.attrib["name"]] = {"fields": {"display_name": {}}}
            elif field["type"] in X2MANY and len(child):
                inner = self._spec_of(found, child, field["relation"])
                spec[child.attrib["name"]] = {"fields": inner, "limit": ROWS}
            else:
                spec[child.attrib["name"]] = {}
        return spec


def _domain(text: Any) -> list[Any]:
    """The action's domain where it is a plain literal; what refers to the user is left to the browser's test."""
    try:
        return list(ast.literal_eval(text)) if isinstance(text, str) else text or []
    except ValueError:
        return []
