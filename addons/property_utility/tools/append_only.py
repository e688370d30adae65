"""Tables that the database itself refuses to change: INSERT and SELECT only."""

from odoo.tools import SQL

_FUNCTION = """
CREATE OR REPLACE FUNCTION property_utility_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$
"""
_ROW_TRIGGER = "property_utility_refuse_row"
_TRUNCATE_TRIGGER = "property_utility_refuse_truncate"


def protect_table(cr, table):
    """Refuse UPDATE, DELETE and TRUNCATE on ``table``. Idempotent; call it from the model's ``init()``.

    The triggers are ENABLE ALWAYS, so session_replication_role does not switch them off.
    """
    cr.execute(_FUNCTION)
    cr.execute("SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass", (table,))
    present = {name for (name,) in cr.fetchall()}
    for name, event in (
        (_ROW_TRIGGER, SQL("BEFORE UPDATE OR DELETE ON %s FOR EACH ROW", SQL.identifier(table))),
        (_TRUNCATE_TRIGGER, SQL("BEFORE TRUNCATE ON %s FOR EACH STATEMENT", SQL.identifier(table))),
    ):
        if name not in present:
            cr.execute(
                SQL(
                    "CREATE TRIGGER %s %s EXECUTE FUNCTION property_utility_refuse_change()",
                    SQL.identifier(name),
                    event,
                )
            )
        cr.execute(
            SQL("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", SQL.identifier(table), SQL.identifier(name))
        )


def get_protection_problems(cr, table):
    """Names of the triggers of ``protect_table`` that are missing or switched off on ``table``."""
    cr.execute(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND tgenabled = 'A'",
        (table,),
    )
    enabled = {name for (name,) in cr.fetchall()}
    return [name for name in (_ROW_TRIGGER, _TRUNCATE_TRIGGER) if name not in enabled]
