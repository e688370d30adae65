"""The wallet's chain of entries. Plain Python: rows in, rows with balances and hashes out."""

from .chain import GENESIS, LedgerError, Posting, Tail, append, check_amount, compute_hash, find_problems
