-- A trip's rest stands beside the plan's hold, and what a switch showed last is known after a restart.
-- hold: '' nothing, 'plan' off by the supply plan, 'plan_over' its period has begun and it is not on again yet. rest: '' nothing, 'tripped' by
-- the meter and closed by Odoo, 'recovery' closed again by us, 'locked' tripped too often. shown: on, off, '' = never read.

ALTER TABLE upkeep ADD COLUMN rest TEXT NOT NULL DEFAULT '';
ALTER TABLE upkeep ADD COLUMN shown TEXT NOT NULL DEFAULT '';
UPDATE upkeep SET rest = hold, hold = '', shown = 'off' WHERE hold IN ('recovery', 'locked');
