from .append_only import get_protection_problems, protect_table
