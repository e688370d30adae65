"""Make (or refresh) the demo estate in Odoo from a site file. Fed to `odoo shell`; `env` is Odoo's own.

Reads from the environment: STACK_BIN (the folder of `stack`), STACK_SITE (site file), STACK_READY (the simulator's ready file with its
ports), STACK_PASSWORD (of all demo users), STACK_KEY_FILE (where the connector's key goes), STACK_MAIL_PORT,
STACK_BASE_URL, STACK_HISTORY_DAYS, STACK_ADDONS (our addons' directory), STACK_PAY_GATEWAYS
(JSON: where each simulated payment gateway keeps its configuration). Running it again changes only what must follow the new ports.
"""

import os
import sys

sys.path.insert(0, os.environ["STACK_BIN"])

from stack.demo_data import company, estate, history, tenants  # noqa: E402
from stack.demo_data.demo import Demo  # noqa: E402

demo = Demo(globals()["env"])
company.load_company(demo)
company.load_payment_providers(demo)
site, buildings, units = estate.load_buildings(demo)
models = estate.load_models(demo)
connector = estate.load_connector(demo, site)
estate.load_gateways(demo, connector, buildings, models, units)
estate.load_examples(demo, models)
company.load_users(demo, buildings)
tenants.load_tenancies(demo, units, tenants.load_tariffs(demo))
if demo.history_days and not demo.env["prepaid.charge"].search_count([]):
    history.load_history(demo)
tenants.load_openings(demo)
demo.env.cr.commit()
# The planner's statistics: autovacuum comes a minute later, the first visitor does not.
demo.env.cr.execute("ANALYZE")
demo.env.cr.commit()
print("SCRIPT COMPLETE")
