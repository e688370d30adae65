"""How fast the ORM's own create() of a list stores readings. Fed to `odoo shell`; rolls back what it stored."""

import json
import os
import statistics
import time
from datetime import datetime, timedelta
from pathlib import Path

from odoo import models

env = globals()["env"]
circuits = json.loads(Path(os.environ["STACK_CIRCUITS_FILE"]).read_text())
seconds = []
for call in range(6):
    at = datetime.utcnow().replace(microsecond=0) - timedelta(hours=30, minutes=call)
    rows = [
        {"circuit_id": circuit, "at": at, "total": 1000.5, "voltage_v": 221.4, "current_a": 3.125, "power_kw": 0.6921,
         "power_factor": 0.998, "switch": "on", "source": "scheduled"}
        for circuit in circuits
    ]  # fmt: skip
    began = time.perf_counter()
    models.BaseModel.create(env["meter.reading"], rows)
    env.flush_all()
    seconds.append(time.perf_counter() - began)
env.cr.rollback()
print("PER SECOND", len(circuits) / statistics.median(seconds[1:]))
print("SCRIPT COMPLETE")
