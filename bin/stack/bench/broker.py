"""An MQTT broker for benches: Debian's mosquitto, unpacked beside the clone's other programs, so that no service is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from .. import layout
from ..console import StackError, run, step
from ..services import Service, free_port, own_by_service

RULES = """
topic readwrite #

user {device}
topic write #
topic read v1/devices/me/rpc/response/+
"""
"""Who has no name sees all. The device hears answers alone: a platform does not send it back its own requests, a plain broker would."""


class Broker:
    """`start()`, `port`, `stop()`; on loopback, nothing kept on disk. `device`: the name of who delivers."""

    def __init__(self, directory: Path, device: str) -> None:
        root = unpacked()
        self.port = free_port()
        settings = directory / "mosquitto.conf"
        rules = directory / "mosquitto.acl"
        rules.write_text(RULES.format(device=device))
        lines = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            f"acl_file {rules}",
            "max_inflight_messages 100",
            "max_queued_messages 0",
            "log_dest stderr",
        ]
        settings.write_text("\n".join([*lines, ""]))
        for path in (settings, rules):
            own_by_service(path)
        libraries = ":".join(str(path) for path in (root / "usr/lib").glob("*-linux-gnu*"))
        self.service = Service(
            "The MQTT broker",
            [root / "usr/sbin/mosquitto", "-c", settings],
            directory / "mosquitto.log",
            {"LD_LIBRARY_PATH": libraries},
        )

    def start(self) -> None:
        """Until it listens."""
        self.service.start()
        log = self.service.log
        self.service.wait_until(lambda: "running" in log.read_text(), 10, "it listened")

    def stop(self) -> None:
        """End it."""
        self.service.stop()


def unpacked() -> Path:
    """The package and those it needs that are not on this machine, downloaded and unpacked once."""
    root = layout.INDEPENDENTS / "mosquitto"
    if (root / "usr/sbin/mosquitto").exists():
        return root
    if not shutil.which("apt-get"):
        raise StackError("The broker of this bench is Debian's package mosquitto, and this is no Debian.")
    step("Unpacking mosquitto (the bench's MQTT broker)")
    shutil.rmtree(root, ignore_errors=True)
    packages = root / "packages"
    packages.mkdir(parents=True)
    packages.chmod(0o755)
    log = layout.LOGS / "independent-mosquitto.log"
    command = ["apt-get", "install", "--simulate", "--no-install-recommends", "mosquitto"]
    planned = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    names = [line.split()[1] for line in planned.splitlines() if line.startswith("Inst ")]
    advice = "Is this machine online, and are its package lists there (apt-get update)?"
    run(["apt-get", "download", *(names or ["mosquitto"])], log=log, advice=advice, attempts=3, cwd=packages)
    for package in packages.glob("*.deb"):
        run(["dpkg-deb", "-x", package, root], log=log, advice="")
    return root
