"""The running product on one machine: database, Odoo, a simulated site, the connector, a mailbox.

Used by `bin/demo`, by the whole-system tests and by `bin/bench`: one way to bring it all up, so that what
is tested is what is shown.
"""

from __future__ import annotations

import fcntl
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from . import layout, postgres
from .console import StackError, step
from .odoo_server import OdooServer, ensure_database
from .odoo_source import OdooSource
from .pay_gateways import TITLES, PayGateway
from .services import Service, free_port, own_by_service

SITE_FILE = layout.CONNECTOR / "src/meter_connector/simulator/sites/demo.yaml"
LOADER = Path(__file__).with_name("demo_data") / "load.py"
ADDONS = [*layout.OUR_ADDONS]


@dataclass
class SiteOptions:
    """What may differ between the demo, a test and a bench.

    database: name of the Odoo database. seed: of the simulator (None: the site file's own).
    speed: how many times faster than the clock energy accumulates. history_days: days of past readings
    and charges to make up, for charts. keep: keep database and data of an earlier start.
    """

    database: str = "demo"
    site_file: Path = SITE_FILE
    seed: int | None = None
    speed: float = 1.0
    history_days: int = 0
    keep: bool = True
    workers: int = 2


class Site:
    """Start with `start()`, end with `stop()`; the parts may be stopped, killed and started one by one."""

    def __init__(self, source: OdooSource, options: SiteOptions):
        self.options = options
        self.directory = layout.SITE_DATA / options.database
        self.directory.mkdir(parents=True, exist_ok=True)
        own_by_service(self.directory)
        self.passwords = self._stored_json("passwords.json", lambda: {"password": secrets.token_urlsafe(9)})
        self.dial_in_port = free_port()
        self.health_port = free_port()
        self.odoo = OdooServer(source, options.database, workers=options.workers)
        self.ready_file = self.directory / "simulator.json"
        self.logs = layout.VAR / "log"
        self._started_cluster = False
        self._lock: IO[str] | None = None
        self.simulator = self._simulator_service()
        self.connector = self._connector_service()
        self.mailbox = self._mailbox_service()
        self.front = self._front_service()
        self.pay_gateways = {
            code: PayGateway(code, self.directory / code, self._log(code)) for code in TITLES
        }

    # -- names and files ---------------------------------------------------------------------------

    def _stored_json(self, name: str, make: Any) -> dict[str, Any]:
        """A small file made once per clone: demo passwords are random and stay the same between starts."""
        path = self.directory / name
        if not path.exists():
            path.touch(0o600)
            path.write_text(json.dumps(make()))
            own_by_service(path)
        return json.loads(path.read_text())

    @property
    def password(self) -> str:
        return self.passwords["password"]

    @property
    def control_url(self) -> str:
        """Address of the simulator's control channel."""
        control = json.loads(self.ready_file.read_text())["control"]
        return f"http://{control['host']}:{control['port']}"

    @property
    def mail_directory(self) -> Path:
        return self.directory / "mail"

    @property
    def outbox_file(self) -> Path:
        return self.directory / "connector" / "outbox.sqlite3"

    def _log(self, name: str) -> Path:
        return self.logs / f"{self.options.database}-{name}.log"

    # -- services ----------------------------------------------------------------------------------

    def _simulator_service(self) -> Service:
        words: list[str | Path] = [layout.PYTHON, "-m", "meter_connector", "simulate", self.options.site_file]
        words += ["--ready-file", self.ready_file, "--dial", f"127.0.0.1:{self.dial_in_port}"]
        words += ["--speed", str(self.options.speed), "--state", self.directory / "simulator-state.json"]
        if self.options.seed is not None:
            words += ["--seed", str(self.options.seed)]
        return Service("The simulated site", words, self._log("simulator"))

    def _connector_service(self) -> Service:
        config = self.directory / "connector.toml"
        return Service(
            "The connector",
            [layout.PYTHON, "-m", "meter_connector", "--config", config, "run"],
            self._log("connector"),
        )

    def _front_service(self) -> Service:
        self.front_port = free_port()
        ports = (self.front_port, self.odoo.http_port, self.odoo.gevent_port)
        script = Path(__file__).with_name("front.py")
        return Service("The front door", [layout.PYTHON, script, *map(str, ports)], self._log("front"))

    @property
    def url(self) -> str:
        """The address for browsers; the connector and benches talk to Odoo's workers directly."""
        return f"http://127.0.0.1:{self.front_port}"

    def _mailbox_service(self) -> Service:
        self.mail_port = free_port()
        script = Path(__file__).with_name("mailbox.py")
        return Service(
            "The mailbox",
            [layout.PYTHON, script, str(self.mail_port), self.mail_directory],
            self._log("mailbox"),
        )

    def _write_connector_config(self) -> None:
        path = self.directory / "connector.toml"
        key_file = self.directory / "connector.key"
        path.write_text(
            "\n".join(
                [
                    "# written by the stack at each start",
                    "[odoo]",
                    f'url = "{self.odoo.url}"',
                    f'database = "{self.options.database}"',
                    'login = "connector-demo"',
                    f'key_file = "{key_file}"',
                    "[connector]",
                    f'data_dir = "{self.directory / "connector"}"',
                    "[listen]",
                    'host = "127.0.0.1"',
                    f"port = {self.dial_in_port}",
                    "[health]",
                    'host = "127.0.0.1"',
                    f"port = {self.health_port}",
                    "",
                ]
            )
        )
        own_by_service(path)

    @property
    def services(self) -> list[Service]:
        """All processes, in the order in which they are ended."""
        paying = [gateway.service for gateway in self.pay_gateways.values()]
        return [self.connector, self.front, self.odoo.service, self.simulator, self.mailbox, *paying]

    # -- life --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Bring everything up; each part is awaited before the next that needs it."""
        self._lock = self._take_lock()
        self._started_cluster = postgres.start()
        if not self.options.keep:
            self.forget()
        step("Odoo's database")
        ensure_database(self.odoo, ADDONS)
        step("The simulated site (meters, buses, gateways)")
        self.mailbox.start()
        for gateway in self.pay_gateways.values():
            gateway.start()
        self.start_simulator()
        step("Demo data: estate, tenants, meters")
        self.load_data()
        step("Odoo (prefork) and the connector")
        self.front.start()
        self.odoo.start()
        self._write_connector_config()
        self.connector.start()

    def _take_lock(self) -> IO[str]:
        """Two of the same name in one clone would talk to the same database and meters. Held until `stop()`."""
        lock = (self.directory / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise StackError(
                f"`{self.options.database}` is running from this clone already. End it there with Ctrl-C, or use another clone."
            ) from None
        return lock

    def start_simulator(self) -> None:
        self.ready_file.unlink(missing_ok=True)
        self.simulator.start()
        self.simulator.wait_until(self.ready_file.exists, 30, "its gateways listened")

    def load_data(self) -> None:
        """Make or refresh the estate in Odoo from the site file and the simulator's ports."""
        self.odoo.script(
            LOADER,
            bin=str(layout.ROOT / "bin"),
            site=str(self.options.site_file),
            ready=str(self.ready_file),
            password=self.password,
            key_file=str(self.directory / "connector.key"),
            mail_port=str(self.mail_port),
            base_url=self.url,
            addons=str(layout.ADDONS),
            pay_gateways=json.dumps(
                {code: str(gateway.directory) for code, gateway in self.pay_gateways.items()}
            ),
            history_days=str(self.options.history_days),
        )

    def forget(self) -> None:
        """Remove the database and what connector and mailbox kept: a fresh start."""
        import shutil

        self.odoo.drop()
        (layout.VAR / f"{self.options.database}.fingerprint").unlink(missing_ok=True)
        # A register must never fall back behind what a database has seen, so both are forgotten together.
        (self.directory / "simulator-state.json").unlink(missing_ok=True)
        for directory in (self.directory / "connector", self.mail_directory):
            shutil.rmtree(directory, ignore_errors=True)
        shutil.rmtree(layout.ODOO_DATA / "filestore" / self.options.database, ignore_errors=True)

    def stop(self) -> None:
        """End what was started, in the order that loses least time; the rest stays untouched."""
        for service in self.services:
            service.stop()
        if self._started_cluster:
            postgres.stop()
        if self._lock:
            self._lock.close()
