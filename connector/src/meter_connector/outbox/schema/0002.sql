-- Orders with data and orders to a bus; what the connector itself does to switches; fast counts; last contact of each circuit.

ALTER TABLE results ADD COLUMN data TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN bus_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN data TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN result_data TEXT NOT NULL DEFAULT '';

-- What Odoo's newest generation wants: 'on', 'off', '' = not known (from before this version).
ALTER TABLE generations ADD COLUMN wanted TEXT NOT NULL DEFAULT '';

-- What the connector does to a switch by itself. hold: '' nothing, 'plan' off by the supply plan, 'recovery' tripped by the meter and
-- about to be closed again, 'locked' tripped too often. phase: the phase of the plan that was acted upon.
CREATE TABLE upkeep (
    circuit_id INTEGER PRIMARY KEY,
    hold TEXT NOT NULL,
    phase REAL NOT NULL,
    trips INTEGER NOT NULL,
    tripped_at REAL NOT NULL
) STRICT;

-- The newest energy reading of each circuit: after a gap the meter's own daily freezes fill it.
CREATE TABLE contacts (
    circuit_id INTEGER PRIMARY KEY,
    at REAL NOT NULL
) STRICT;

-- Counting millions of rows would hold up an order.
CREATE TABLE counts (
    queue TEXT PRIMARY KEY,
    n INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counts SELECT 'readings', count(*) FROM readings;
