"""What the commands in bin/ are made of: set-up, database server, Odoo server, simulated site.

Everything that set-up needs (layout, console, system, odoo_source, python_env, postgres) is written on
the standard library alone, because it runs before anything is installed.
"""
