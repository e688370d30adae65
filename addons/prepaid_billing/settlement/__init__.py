"""Readings to charges, set-based: what is read, worked out and written for a batch of circuits.

load.py   rows of the database -> Points (rating) with readings, payers, tariffs, accumulators
store.py  charges, accumulators, cursors, daily use, reviews -> rows
"""
