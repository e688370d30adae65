"""DL/T 645-2007: multi-function electricity meters on 485 (and most prepaid meters with a relay)."""
