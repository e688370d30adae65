"""The command line: `meter-connector COMMAND`, or `python -m meter_connector COMMAND`.

Exit codes: 0 done, 1 not as wished (a meter does not answer, a check failed), 2 wrong use or wrong settings.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__, decode, log
from .errors import ConnectorError, SettingsError


def make_parser() -> argparse.ArgumentParser:
    """All commands. What only one of them needs is imported when it runs."""
    parser = argparse.ArgumentParser(prog="meter-connector", description=__doc__.splitlines()[0])
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings (default: METER_CONNECTOR_CONFIG, /etc)"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_service(commands)
    _add_by_hand(commands)
    _add_tools(commands)
    return parser


def _add_service(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    run = commands.add_parser("run", help="read meters and serve Odoo until told to stop")
    run.set_defaults(function=_run)
    check = commands.add_parser("check", help="settings, outbox, Odoo, gateways: is everything in place?")
    check.set_defaults(function=_check)
    outbox = commands.add_parser("outbox", help="look at what waits for Odoo")
    outbox.add_argument("what", choices=("stats", "look"), nargs="?", default="stats")
    outbox.add_argument("--limit", type=int, default=20, help="rows of each kind (look)")
    outbox.add_argument("--json", action="store_true", help="one JSON object (stats)")
    outbox.set_defaults(function=_outbox)


def _add_by_hand(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from .commands import by_hand

    read = commands.add_parser("read", help="read one meter now")
    by_hand.add_target(read)
    read.set_defaults(function=by_hand.run_read)
    switch = commands.add_parser("switch", help="switch one meter by hand and read it back")
    by_hand.add_target(switch)
    switch.add_argument("state", choices=("on", "off"))
    switch.add_argument("--circuit", type=int, default=1)
    switch.add_argument("--yes", action="store_true", help="do not ask")
    switch.set_defaults(function=by_hand.run_switch)
    scan = commands.add_parser("scan", help="find the meters on a bus")
    by_hand.add_link(scan)
    scan.add_argument("--bus", type=int, help="id of a bus of the configuration, instead of --link")
    scan.set_defaults(function=_scan)


def _add_tools(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from .simulator import add_arguments, cli_main

    simulate = commands.add_parser("simulate", help="be a whole site of meters")
    add_arguments(simulate)
    simulate.set_defaults(function=cli_main)
    decoder = commands.add_parser("decode", help="show what bytes say")
    decode.add_arguments(decoder)
    decoder.set_defaults(function=decode.main)


def _run(arguments: argparse.Namespace) -> int:
    from .app import serve
    from .config import load

    settings = load(arguments.config)
    log.set_up(settings.log_level, settings.log_form)
    asyncio.run(serve(settings))
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from .commands import check

    return check.run(arguments)


def _outbox(arguments: argparse.Namespace) -> int:
    from .commands import outbox

    return outbox.run(arguments)


def _scan(arguments: argparse.Namespace) -> int:
    from .commands import scan

    return scan.run(arguments)


def main(argv: Sequence[str] | None = None) -> None:
    """Parse, run, exit."""
    arguments = make_parser().parse_args(argv)
    try:
        code = arguments.function(arguments)
    except SettingsError as error:
        sys.exit(_complain(error, 2))
    except ConnectorError as error:
        sys.exit(_complain(error, 1))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code)


def _complain(error: ConnectorError, code: int) -> int:
    sys.stderr.write(f"meter-connector: {error}\n")
    return code
