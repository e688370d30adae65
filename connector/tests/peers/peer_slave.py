"""The slave of `dlt645`, run by the Python of its own environment: `peer_slave.py PORT ADDRESS`. Prints "ready", ends with its input."""

import sys
from datetime import datetime

from dlt645 import MeterServerService
from dlt645.model.types.dlt645_type import Demand
from loguru import logger

logger.remove()
port, address = int(sys.argv[1]), sys.argv[2]
service = MeterServerService.new_tcp_server("127.0.0.1", port, 30)
service.set_address(bytes.fromhex(address)[::-1])  # given as text it would go out high byte first
service.set_password("02563412")  # it takes the bytes as they go out: level, then low digits first
service.set_00(0x00010000, 1234.56)
service.set_00(0x00000000, -12.34)
service.set_01(0x01010000, Demand(7.8, datetime(2026, 11, 21, 12, 30)))
service.set_02(0x02010100, 223.1)
service.set_02(0x02020100, -1.234)
service.set_02(0x02030000, 5.4321)
service.set_02(0x02060000, 0.998)
service.set_02(0x02800002, 50.01)
service.set_04(0x04000101, "26112106")
service.set_04(0x04000102, "123456")
service.set_04(0x04000204, "04")
service.set_04(0x04000401, address)
service.start()
sys.stdout.write("ready\n")
sys.stdout.flush()
sys.stdin.read()
service.stop()
