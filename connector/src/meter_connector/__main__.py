"""`python -m meter_connector`."""

from .cli import main

main()
