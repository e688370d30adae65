def pre_init_hook(env):
    """btree_gist gives the EXCLUDE constraint an operator class for integers.

    It is a trusted extension since PostgreSQL 13: the owner of the database may create it.
    """
    env.cr.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")


def uninstall_hook(env):
    env.cr.execute("DROP FUNCTION IF EXISTS property_utility_refuse_change() CASCADE")
