"""Give the database's company what a Chinese property manager's has: country, currency, chart of accounts. Fed to `odoo shell`."""

env = globals()["env"]
company = env.company
if company.chart_template != "cn":  # Odoo loads a generic chart, in dollars, by itself
    company.country_id = env.ref("base.cn")
    env["account.chart.template"].try_loading("cn", company=company, install_demo=False)
env.ref("base.user_admin").write({"lang": "zh_CN", "tz": "Asia/Shanghai"})
env.cr.commit()
print("SCRIPT COMPLETE")
