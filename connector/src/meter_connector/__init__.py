"""Reads and switches meters on RS485 and M-Bus, and brings what it read to Odoo."""

__version__ = "1.0.0"
