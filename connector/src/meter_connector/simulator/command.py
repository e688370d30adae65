"""`meter-connector simulate SITE.yaml`: runs a site until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TextIO

from ..errors import SettingsError
from .control import Control
from .runner import Simulator, write_ready
from .site import SiteSpec
from .site_reader import load_site
from .state import StateFile

SITES = Path(__file__).with_name("sites")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `simulate`."""
    parser.add_argument("site", metavar="SITE.yaml", help="site file, or the name of a shipped one: demo")
    parser.add_argument(
        "--ready-file", type=Path, help="JSON with the ports and devices, written when all of them are open"
    )
    parser.add_argument("--seed", type=int, help="instead of the site file's; printed at the start")
    parser.add_argument(
        "--speed", type=float, default=1.0, help="energy flows so many times faster (default 1)"
    )
    parser.add_argument(
        "--clock-follows",
        action="store_true",
        help="meter clocks run at that speed too (relay orders may be refused as expired)",
    )
    parser.add_argument(
        "--chaos",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="something breaks every so many seconds, by the seed, and heals",
    )
    parser.add_argument(
        "--control-port", type=int, default=0, help="control channel on 127.0.0.1 (default: a free port)"
    )
    parser.add_argument("--dial", metavar="HOST:PORT", help="where dial-in gateways find the connector")
    parser.add_argument(
        "--state",
        type=Path,
        help="meters remember their registers and relays in this file, and links their ports",
    )
    parser.add_argument("--log", type=Path, help="what happens at the meters, as JSON lines")


def cli_main(args: argparse.Namespace) -> int:
    """Run; 0 when stopped in order, 2 when the site file or an argument is wrong."""
    try:
        site = load_site(_site_path(str(args.site)))
        dial = _address(getattr(args, "dial", None))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    log_path = getattr(args, "log", None)
    with Path(log_path).open("a", encoding="utf-8") if log_path else nullcontext() as log:
        try:
            asyncio.run(_run(site, args, dial, log))
        except (OSError, SettingsError) as error:
            sys.stderr.write(f"the simulator cannot start: {error}\n")
            return 2
    return 0


async def _run(
    site: SiteSpec, args: argparse.Namespace, dial: tuple[str, int] | None, log: TextIO | None
) -> None:
    simulator = Simulator(
        site,
        seed=getattr(args, "seed", None),
        speed=1.0 if getattr(args, "speed", None) is None else args.speed,
        clock_follows=bool(getattr(args, "clock_follows", False)),
        log=log,
        state=StateFile(Path(args.state)) if getattr(args, "state", None) else None,
    )
    if dial is not None:
        simulator.dial(*dial)
    async with simulator, Control(simulator, port=getattr(args, "control_port", None) or 0) as control:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, control.stopped.set)
        await simulator.set_chaos(float(getattr(args, "chaos", None) or 0.0))
        ready = simulator.ready((control.host, control.port))
        if getattr(args, "ready_file", None):
            write_ready(Path(args.ready_file), ready)
        sys.stdout.write(
            f"simulator: {len(simulator.meters)} meters on {len(simulator.links)} buses, seed {simulator.seed}, "
            f"control http://{control.host}:{control.port}\n"
        )
        sys.stdout.flush()
        await control.stopped.wait()


def _site_path(text: str) -> Path:
    shipped = SITES / f"{text}.yaml"
    return shipped if "/" not in text and shipped.is_file() else Path(text)


def _address(text: str | None) -> tuple[str, int] | None:
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not port.isdigit():
        raise SettingsError(f"--dial: expected HOST:PORT, got {text!r}")
    return host or "127.0.0.1", int(port)
