"""DL/T 645-1997: older electricity meters; read-only for us, plus broadcast time."""
