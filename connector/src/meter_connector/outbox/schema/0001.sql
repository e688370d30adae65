-- What waits for Odoo's acknowledgement, what Odoo ordered, and what must survive a restart.
-- Values are decimal strings as on the wire, times epoch seconds UTC by the server's clock.

CREATE TABLE readings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    circuit_id INTEGER NOT NULL,
    at REAL NOT NULL,
    total TEXT, t1 TEXT, t2 TEXT, t3 TEXT, t4 TEXT,
    voltage_v TEXT, current_a TEXT, power_kw TEXT, power_factor TEXT,
    switch TEXT,
    source TEXT NOT NULL,
    extras TEXT
) STRICT;

CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    at REAL NOT NULL,
    gateway_id INTEGER, bus_id INTEGER, meter_id INTEGER, circuit_id INTEGER,
    data TEXT NOT NULL
) STRICT;

CREATE TABLE results (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    state TEXT NOT NULL,
    reported TEXT NOT NULL,
    at REAL NOT NULL,
    detail TEXT NOT NULL
) STRICT;

-- Orders stay after they are done, so that one that comes again is answered and not carried out again.
CREATE TABLE orders (
    id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    kind TEXT NOT NULL,
    meter_id INTEGER NOT NULL,
    circuit_id INTEGER NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL,   -- 0 = never
    reason TEXT NOT NULL,
    stage INTEGER NOT NULL,     -- ports.Stage
    state TEXT NOT NULL,        -- last result told or to be told
    reported TEXT NOT NULL,
    changed_at REAL NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (id, generation)
) STRICT, WITHOUT ROWID;
CREATE INDEX orders_open ON orders (circuit_id) WHERE stage < 3;
CREATE INDEX orders_done ON orders (changed_at) WHERE stage = 3;

-- The newest switch generation ever seen: an older order is never carried out, even when its newer one is long forgotten.
CREATE TABLE generations (
    circuit_id INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL
) STRICT;

-- The last configuration document, the server's time when last heard.
CREATE TABLE kept (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;
