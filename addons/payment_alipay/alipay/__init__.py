"""Alipay's open gateway without Odoo: keys, certificates, signatures, requests, notices and bills.

Nothing here reads a database or a clock of its own choice; every time is a timezone-aware UTC datetime.
"""
