"""Tariffs, tenancies with their fees, and the deposits taken over."""

from datetime import datetime, timedelta
from decimal import Decimal

from .company import load_portal_user


def load_tariffs(demo):
    """{tariff code of the site file: record}, each with one confirmed version."""
    found = {}
    for tariff in demo.site_file["tariffs"]:
        kind = demo.env.ref(f"property_utility.utility_kind_{tariff['kind']}")
        domain = [("name", "=", tariff["name"]), ("kind_id", "=", kind.id)]
        record = demo.find_or_create("utility.tariff", domain, {"name": tariff["name"], "kind_id": kind.id})
        if not record.version_ids:
            demo.env["utility.tariff.version"].create(prepare_version(demo, record, tariff)).action_confirm()
        found[tariff["code"]] = record
    return found


def prepare_version(demo, record, tariff):
    values = {
        "tariff_id": record.id,
        "valid_from": min(datetime.fromisoformat(tariff["valid_from"]), demo.opened_at),
        "structure": tariff["structure"],
    }
    if "price" in tariff:
        values["price"] = float(tariff["price"])
    values |= {f"price_{rate}": float(price) for rate, price in tariff.get("prices", {}).items()}
    if "tiers" in tariff:
        values["period"] = tariff["period"]
        values["tier_ids"] = [
            (0, 0, {"upto": float(tier.get("up_to", 0)), "price": float(tier["price"])})
            for tier in tariff["tiers"]
        ]
    return values


def load_tenancies(demo, units, tariffs):
    manager = demo.env["res.users"].search([("login", "=", "manager")])
    for tenancy in demo.site_file["tenancies"]:
        if demo.env["contract.contract"].search_count([("account_number", "=", tenancy["account"])]):
            continue
        partner = demo.env["res.partner"].create(
            {
                "name": tenancy["tenant"],
                "email": tenancy["email"],
                "lang": "zh_CN",
                "tz": demo.site_file["site"]["timezone"],
            }
        )
        contract = demo.env["contract.contract"].create(
            {
                "is_tenancy": True,
                "account_number": tenancy["account"],
                "name": f"租赁合同 {tenancy['account']}",
                "partner_id": partner.id,
                "user_id": manager.id,
            }
        )
        for code in tenancy["units"]:
            demo.env["property.occupancy"].create(
                {"unit_id": units[code].id, "contract_id": contract.id, "start_at": demo.opened_at}
            )
            demo.env["utility.tariff.assignment"].create(
                [
                    {
                        "service_point_id": point.id,
                        "tariff_id": tariffs[tenancy[f"tariff_{point.kind_id.code}"]].id,
                        "valid_from": demo.opened_at,
                    }
                    for point in units[code].service_point_ids
                ]
            )
        load_fee(demo, contract, tenancy, units)
        if tenancy.get("portal", True):
            load_portal_user(demo, partner)


def load_fee(demo, contract, tenancy, units):
    """Property fee by area, withheld from the wallet each month; due on the first unless the file says now."""
    area = sum(Decimal(str(units[code].area_m2)) for code in tenancy["units"])
    fee = (area * Decimal(tenancy.get("property_fee_per_m2", "0"))).quantize(Decimal("0.01"))
    if not fee:
        return
    today = datetime.utcnow().date()
    next_month = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    product = demo.find_or_create(
        "product.product",
        [("default_code", "=", "PROPERTY-FEE")],
        {"default_code": "PROPERTY-FEE", "name": "物业费", "type": "service", "taxes_id": False},
    )
    demo.env["contract.line"].create(
        {
            "contract_id": contract.id,
            "product_id": product.id,
            "name": "物业费 #START# - #END#",
            "quantity": 1,
            "uom_id": product.uom_id.id,
            "price_unit": float(fee),
            "recurring_rule_type": "monthly",
            "recurring_interval": 1,
            "date_start": today if tenancy.get("fee_due") == "now" else next_month,
            "is_withheld": True,
        }
    )


def load_openings(demo):
    """Deposits taken over at the start, as top-ups by bank transfer; what the made-up past used comes on top."""
    cashier = demo.env["res.users"].search([("login", "=", "cashier")])
    for tenancy in demo.site_file["tenancies"]:
        contract = (
            demo.env["contract.contract"]
            .with_user(cashier)
            .search([("account_number", "=", tenancy["account"])])
        )
        wallet = contract.wallet_id
        key = f"opening-{tenancy['account']}"
        if demo.env["prepaid.topup"].search_count([("request_key", "=", key)]):
            continue
        missing = Decimal(tenancy["opening"]) - Decimal(str(round(wallet.balance, 2)))
        if missing > 0:
            demo.env["prepaid.topup"].with_user(cashier)._take(
                wallet, missing, "transfer", reference="期初余额转入", request_key=key
            )
