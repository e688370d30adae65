"""CJ/T 188-2004: water, heat and gas meters on M-Bus or 485, many with a valve."""
