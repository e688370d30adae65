"""The one gate of all pages under /my/utility, and what every page has in common."""

import re
from datetime import date
from decimal import Decimal

from odoo.addons.portal.controllers.portal import pager
from odoo.http import request
from odoo.tools.misc import formatLang
from werkzeug.exceptions import NotFound

MAX_ID = 2**31 - 1
MAX_PAGE = 10_000
PERIOD = re.compile(r"(20\d\d)(?:-(0[1-9]|1[0-2]))?(?:-(0[1-9]|[12]\d|3[01]))?", re.ASCII)


def get_tenancies():
    """The user's own tenancies with the user's own rights, running ones first; empty without rights."""
    contracts = request.env["contract.contract"].with_context(active_test=False)
    if not contracts.has_access("read"):
        return contracts
    return contracts.search(_get_own_domain(), order="moved_out_at desc, account_number", limit=200)


def _get_own_domain():
    return [
        ("is_tenancy", "=", True),
        ("commercial_partner_id", "=", request.env.user.commercial_partner_id.id),
    ]


def get_tenancy_sudo(contract_id):
    """The tenancy of this id as superuser, after the check that it is the user's own; else 404, whatever the reason.

    The one place that leaves the user's rights: tenants have no access to wallets, meters and readings. Whatever a page
    reads afterwards, it reads through this record.
    """
    contracts = request.env["contract.contract"].with_context(active_test=False)
    if not 0 < contract_id <= MAX_ID or not contracts.has_access("read"):
        raise NotFound
    contract = contracts.search([("id", "=", contract_id), *_get_own_domain()], limit=1)
    if not contract:
        raise NotFound
    return contract.sudo()


def get_own_sudo(contract_sudo, model, record_id):
    """The record of this id as superuser if it belongs to the tenancy; else 404."""
    if not 0 < record_id <= MAX_ID:
        raise NotFound
    domain = [("id", "=", record_id), ("wallet_id", "=", contract_sudo.wallet_id.id)]
    return request.env[model].sudo().search(domain, limit=1) or _not_found()


def _not_found():
    raise NotFound


def render(template, contract_sudo, tab, **values):
    """A page of the tenancy in the portal's frame."""
    values |= get_context(contract_sudo) | {
        "tab": tab,
        "page_name": "utility",
        "has_others": len(get_tenancies()) > 1,
        "tenancy_head": contract_sudo._get_portal_title(),
        "no_breadcrumbs": True,
    }
    response = request.render(f"tenant_portal.{template}", values)
    response.headers["Cache-Control"] = "no-store"  # the next user of a shared phone must not go back to it
    return response


def get_context(contract_sudo):
    """What every template and every piece of one needs: the tenancy, its addresses, and how to write things."""
    currency, env = contract_sudo.wallet_id.currency_id, contract_sudo.env

    def money(amount, plus=""):
        sign = "−" if amount < 0 else plus if amount > 0 else ""
        return f"{sign}{currency.format(abs(float(amount)))}"

    return {
        "contract": contract_sudo,
        "currency": currency,
        "base_url": f"/my/utility/{contract_sudo.id}",
        "money": money,
        "signed": lambda amount: money(amount, "+"),
        "number": lambda value, digits=2: formatLang(env, float(value), digits=digits),
        "price": lambda value: format(Decimal(value).normalize() + 0, "f"),
        "clock": contract_sudo._get_portal_time,
    }


def parse_page(text):
    """A page number from the address, 1 for whatever is none."""
    return min(int(text), MAX_PAGE) if re.fullmatch(r"\d{1,6}", str(text), re.ASCII) and int(text) else 1


def parse_day(text, default):
    """A date from "2026", "2026-11" or "2026-11-20" (first day of it); `default` for whatever is none."""
    match = PERIOD.fullmatch(str(text or ""))
    if not match:
        return default
    try:
        return date(*(int(part or 1) for part in match.groups()))
    except ValueError:  # the 31st of a short month
        return default


def get_pager(url, total, page, step, **url_args):
    url_args = {key: value for key, value in url_args.items() if value}
    return pager(url=url, total=total, page=page, step=step, url_args=url_args)
