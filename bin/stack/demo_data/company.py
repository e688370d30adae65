"""The company of the demo: its mailbox, its payment providers, its people."""

import base64
import json
import os
from pathlib import Path

LOGO = Path(os.environ["STACK_ADDONS"]) / "property_utility/static/description/icon.png"
ROLE_GROUP = "property_utility.property_utility_group_{}"


def load_company(demo):
    company = demo.env.company
    company.name = "示例 海星物业管理"
    company.logo = base64.b64encode(LOGO.read_bytes())
    demo.env.ref("base.user_admin").write({"lang": "zh_CN", "tz": "Asia/Shanghai", "password": demo.password})
    demo.env.ref("base.lang_zh_CN").active = True
    parameters = demo.env["ir.config_parameter"].sudo()
    for key in ("web.base.url", "report.url"):
        parameters.set_param(key, os.environ["STACK_BASE_URL"])
    parameters.set_param("web.base.url.freeze", "True")
    mailbox = {
        "smtp_host": "127.0.0.1",
        "smtp_port": int(os.environ["STACK_MAIL_PORT"]),
        "smtp_encryption": "none",
    }
    demo.find_or_create(
        "ir.mail_server", [("name", "=", "demo mailbox")], {"name": "demo mailbox", **mailbox}
    ).write(mailbox)
    company.partner_id.email = "office@example.com"


def load_payment_providers(demo):
    """WeChat Pay and Alipay against the simulated gateways, whose keys are new at each start; and Odoo's own demonstration."""
    directories = json.loads(os.environ["STACK_PAY_GATEWAYS"])
    for code, directory in directories.items():
        gateway = json.loads((Path(directory) / "config.json").read_text())
        provider = demo.env.ref(f"payment_{code}.payment_provider_{code}")
        provider.write(PREPARE_PROVIDER[code](provider, gateway))
        provider.write({"state": "test", "is_published": True})
    demonstration = demo.env.ref("payment.payment_provider_demo")
    if demonstration.state == "disabled":
        demonstration.write({"state": "test", "is_published": True, "sequence": 100})
    for provider in demo.env["payment.provider"].search([("state", "=", "test")]):
        provider.payment_method_ids.filtered(lambda method: not method.active).active = True


def prepare_wechatpay(provider, gateway):
    key = {"kind": "public_key", "serial": gateway["public_key_id"], "pem": gateway["public_key"]}
    return {
        "wechatpay_mchid": gateway["mchid"],
        "wechatpay_appid": gateway["appid"],
        "wechatpay_app_secret": gateway["app_secret"],
        "wechatpay_api_v3_key": gateway["api_v3_key"],
        "wechatpay_private_key": gateway["merchant_private_key"],
        "wechatpay_certificate": gateway["merchant_certificate"],
        "wechatpay_key_ids": [*((2, old.id) for old in provider.wechatpay_key_ids), (0, 0, key)],
        "wechatpay_has_jsapi": True,
        "wechatpay_has_h5": True,
        "wechatpay_test_url": gateway["base_url"],
        "state": "test",
    }


def prepare_alipay(_provider, gateway):
    return {
        "alipay_app_id": gateway["app_id"],
        "alipay_seller_id": gateway["seller_id"],
        "alipay_private_key": gateway["app_private_key"],
        "alipay_public_key": gateway["alipay_public_key"],
        "alipay_base_url": gateway["gateway_url"],
        "state": "test",
    }


PREPARE_PROVIDER = {"wechatpay": prepare_wechatpay, "alipay": prepare_alipay}


def load_users(demo, buildings):
    for user in demo.site_file["users"]:
        if demo.env["res.users"].search_count([("login", "=", user["login"])]):
            continue
        everywhere = user["buildings"] == "all"
        demo.env["res.users"].with_context(no_reset_password=True).create(
            {
                "login": user["login"],
                "name": user["name"],
                "email": f"{user['login']}@example.com",
                "lang": "zh_CN",
                "tz": demo.site_file["site"]["timezone"],
                "password": demo.password,
                "odoobot_state": "disabled",
                "group_ids": [(6, 0, [demo.env.ref(ROLE_GROUP.format(user["role"])).id])],
                "scope_all_buildings": everywhere,
                "scope_building_ids": []
                if everywhere
                else [(6, 0, [buildings[code].id for code in user["buildings"]])],
            }
        )


def load_portal_user(demo, partner):
    demo.env["res.users"].with_context(no_reset_password=True).create(
        {
            "login": partner.email,
            "partner_id": partner.id,
            "password": demo.password,
            "lang": "zh_CN",
            "tz": demo.site_file["site"]["timezone"],
            "group_ids": [(6, 0, [demo.env.ref("base.group_portal").id])],
        }
    )
