"""Store one reading for each of the first STACK_SIZE circuits, then time their settlement. Fed to `odoo shell`."""

import json
import os
import time
from pathlib import Path

env = globals()["env"]
circuits = json.loads(Path(os.environ["STACK_CIRCUITS_FILE"]).read_text())[: int(os.environ["STACK_SIZE"])]
hour = int(os.environ["STACK_HOUR"])
connector = env["meter.connector"].search([("code", "=", "bench")])
face = env["meter.connector"].with_user(connector.user_id)
at = float(int(time.time()) - 86400 + 3600 * hour)
for start in range(0, len(circuits), 1000):
    part = circuits[start : start + 1000]
    total = [f"{1000 + hour}.25"] * len(part)
    payload = {"batch": f"s{hour}-{start}", "circuit_id": part, "at": [at] * len(part), "total": total}
    answer = face.api_ingest(payload | {"source": ["scheduled"] * len(part)})
    assert answer["accepted"] == len(part), answer
env.cr.commit()
began = time.perf_counter()
env["prepaid.settlement"]._settle_due_committing()
seconds = time.perf_counter() - began
env.cr.execute("SELECT count(*) FROM prepaid_charge")
assert env.cr.fetchone()[0] >= len(circuits), "not every point was charged"
print("SECONDS", seconds)
print("SCRIPT COMPLETE")
