-- What the platforms pushed, until it is decoded; afterwards its key, so that a repetition counts once.
-- Times are epoch seconds UTC by the server's clock.

CREATE TABLE pushes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    received_at REAL NOT NULL,
    push TEXT                   -- JSON; NULL once it is done
) STRICT;
CREATE INDEX pushes_waiting ON pushes (id) WHERE push IS NOT NULL;
CREATE INDEX pushes_done ON pushes (received_at) WHERE push IS NULL;

-- When each meter was heard last.
CREATE TABLE heard (
    meter_id INTEGER PRIMARY KEY,
    at REAL NOT NULL
) STRICT;
