"""What both stand-ins share: the process, HTTP on loopback, the control channel, the clock and the fault switch."""

import argparse
import gzip
import hmac
import json
import logging
import os
import secrets
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from .faults import Faults
from .ledger import Ledger, Order, Refund, Refusal
from .notices import Notices

_logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
BEIJING = timezone(timedelta(hours=8))
TOKEN_HEADER = "X-Control-Token"  # noqa: S105 - a name
MAX_BODY = 1024 * 1024
DEFAULT_PADDING = 8 * 1024 * 1024
KEPT_REQUESTS = 500
LATE_PAY_S = 0.2


@dataclass
class Request:
    method: str
    target: str  # path and query as sent
    headers: dict
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(self.query_pairs)

    @property
    def query_pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def form_pairs(self) -> list[tuple[str, str]]:
        if "form-urlencoded" not in self.headers.get("Content-Type", ""):
            return []
        return parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)


@dataclass
class Response:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def answer_json(data, status=200, headers=None):
    body = json.dumps(data, ensure_ascii=False).encode()
    return Response(status, body, {"Content-Type": "application/json; charset=utf-8"} | (headers or {}))


def answer_page(html, status=200):
    return Response(status, html.encode(), {"Content-Type": "text/html; charset=utf-8"})


def answer_redirect(url):
    return Response(303, b"", {"Location": url})


class Clock:
    """The gateway's business time. Signatures always use the real time."""

    def __init__(self):
        self.offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(BEIJING) + self.offset

    def set(self, command: dict) -> None:
        if "now" in command:
            self.offset = read_time(command["now"]) - datetime.now(UTC)
        else:
            self.offset = timedelta(seconds=float(command.get("offset_s", 0)))


def read_time(text: str) -> datetime:
    """ISO time as Beijing time; without an offset it is taken as Beijing time."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=BEIJING) if moment.tzinfo is None else moment.astimezone(BEIJING)


class Gateway:
    """One stand-in. Subclasses give NAME, RETRIES_S, ACK_TIMEOUT_S, ledger prefixes and the methods at the end."""

    NAME = ""
    RETRIES_S: tuple[int, ...] = ()
    ACK_TIMEOUT_S = 5
    PREFIXES = ("4200", "5030")
    API_PREFIXES: tuple[str, ...] = ()  # paths that faults apply to

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.directory = Path(options.state)
        self.base_url = ""
        self.clock = Clock()
        self.faults = Faults()
        self.ledger = Ledger(*self.PREFIXES)
        self.lock = threading.RLock()
        self.requests: list[dict] = []
        self.bill_edits: list[dict] = []
        self.refund_outcomes: list[str] = []
        self.control_token = secrets.token_urlsafe(24)
        self.notices = Notices(
            self.RETRIES_S,
            scale=options.retry_scale,
            timeout_s=self.ACK_TIMEOUT_S,
            faults=self.faults,
            is_acknowledged=self.is_acknowledged,
            allowed_hosts=set(options.notify_host),
        )

    # --- requests ---------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response | None:
        """None: end the connection without an answer."""
        if request.path == "/_control":
            return self._control(request)
        if not request.path.startswith(self.API_PREFIXES):
            return self.serve_page(request)
        faults = self.faults.take("api", f"{self.describe(request)}")
        response = self._handle_api(request, faults)
        with self.lock:
            status = response.status if response else 0
            self.requests.append({"method": request.method, "target": request.target, "status": status})
            del self.requests[:-KEPT_REQUESTS]
        return response

    def _handle_api(self, request, faults):
        if faults.get("drop", {}).get("before"):
            return None
        if "redirect" in faults:
            to = faults["redirect"].get("to") or f"{self.base_url}/elsewhere"
            return Response(302, b"", {"Location": to})
        status = faults.get("status")
        if status and not status.get("accepted"):
            return Response(
                status.get("status", 502), b"<html>Bad Gateway</html>", {"Content-Type": "text/html"}
            )
        response = self.serve_api(request, faults)
        if "delay" in faults:
            time.sleep(float(faults["delay"].get("seconds", 6)))
        if "drop" in faults:
            return None
        if status:
            return Response(
                status.get("status", 502), b"<html>Bad Gateway</html>", {"Content-Type": "text/html"}
            )
        if "gzip_bomb" in faults:
            response.body = gzip.compress(response.body)
            response.headers["Content-Encoding"] = "gzip"
        return response

    @staticmethod
    def pad(body: bytes, faults: dict) -> bytes:
        """JSON may end in any number of blanks: a huge body that is still valid, to be signed as it is."""
        for kind in ("oversize", "gzip_bomb"):
            if kind in faults:
                body += b" " * int(faults[kind].get("bytes", DEFAULT_PADDING))
        return body

    # --- control ----------------------------------------------------------------------------------------------

    def _control(self, request):
        given = request.headers.get(TOKEN_HEADER, "")
        if request.method != "POST" or not hmac.compare_digest(given.encode(), self.control_token.encode()):
            return answer_json({"ok": False, "error": "forbidden"}, 403)
        try:
            command = json.loads(request.body)
            action = getattr(self, f"control_{command['action']}", None)
            if action is None:
                raise ValueError(f"no action {command['action']!r}")
            return answer_json({"ok": True} | (action(command) or {}))
        except Refusal as refusal:
            return answer_json({"ok": False, "error": refusal.reason}, 409)
        except (ValueError, KeyError, TypeError) as error:
            return answer_json({"ok": False, "error": f"{type(error).__name__}: {error}"}, 400)

    def control_state(self, command):
        """Everything the stand-in knows."""
        with self.lock:
            return {
                "now": self.clock.now().isoformat(),
                "orders": [describe_order(order) for order in self.ledger.orders.values()],
                "faults": self.faults.pending(),
                "requests": list(self.requests),
                "notices": self.notices.describe(),
            }

    def control_order(self, command):
        with self.lock:
            order = self.ledger.get(command["out_trade_no"], self.clock.now())
            return {"order": describe_order(order)}

    def control_pay(self, command, event="pay"):
        """out_trade_no; at: time of the payment (for a bill of that day); buyer; notify: false = silently."""
        with self.lock:
            self.prepare_payment(command["out_trade_no"])
            now = read_time(command["at"]) if "at" in command else self.clock.now()
            buyer = command.get("buyer") or self.default_buyer
            order = self.ledger.pay(command["out_trade_no"], now, buyer=buyer, event=event)
        if command.get("notify", True):
            self.notify_payment(order)
        return {"order": describe_order(order)}

    def control_pay_after_close(self, command):
        """Pays although the order is closed: the payer was faster."""
        return self.control_pay(command, event="late_pay")

    def control_close(self, command):
        with self.lock:
            return {"order": describe_order(self.ledger.close(command["out_trade_no"], self.clock.now()))}

    def close_order(self, number: str, faults: dict) -> Order:
        if "pay_before_close" in faults:
            self.control_pay({"out_trade_no": number})
        order = self.ledger.close(number, self.clock.now())
        if "pay_after_close" in faults:
            self.notices.call_later(
                LATE_PAY_S, lambda: self.control_pay_after_close({"out_trade_no": number})
            )
        return order

    def control_refund_outcome(self, command):
        """outcome: success, closed, abnormal, hold. With out_refund_no: of that refund, now; without: of the next one."""
        outcome = command["outcome"].lower()
        if outcome not in ("success", "closed", "abnormal", "hold"):
            raise ValueError(f"no outcome {outcome!r}")
        if "out_refund_no" not in command:
            self.refund_outcomes.append(outcome)
            return {}
        with self.lock:
            order, refund = self.ledger.find_refund(command["out_refund_no"])
        self.settle_refund(order, refund, outcome, notify=command.get("notify", True))
        return {"refund": describe_refund(refund)}

    def control_notices(self, command):
        return {"notices": self.notices.describe()}

    def control_make_notice(self, command):
        """A notice as it would be sent: {"notice": {"url", "headers", "body"}}. out_trade_no or out_refund_no; set,
        faults: {"wrong_signature": {}, ...} as in a fault; url.
        """
        return {
            "notice": self._get_message(command)
            .build(command.get("faults") or self._only_set(command))
            .as_dict()
        }

    def control_notify(self, command):
        """Send a notice now and say how it was answered: {"status", "body"}. Same values as make_notice."""
        message = self._get_message(command)
        return self.notices.send_now(message, command.get("faults") or self._only_set(command))

    @staticmethod
    def _only_set(command):
        return {"set": {"values": command["set"]}} if "set" in command else {}

    def _get_message(self, command):
        with self.lock:
            if "out_refund_no" in command:
                message = self.make_refund_message(*self.ledger.find_refund(command["out_refund_no"]))
            else:
                order = self.ledger.get(command["out_trade_no"], self.clock.now())
                message = self.make_payment_message(order)
        message.url = command.get("url") or message.url
        return message

    def control_fault(self, command):
        return {"fault": self.faults.add({key: value for key, value in command.items() if key != "action"})}

    def control_clear_faults(self, command):
        self.faults.clear()

    def control_clock(self, command):
        """now (ISO time) or offset_s: the business time; no value: real time again."""
        self.clock.set(command)
        return {"now": self.clock.now().isoformat()}

    def control_bill_edit(self, command):
        """A difference in the bills of `date`. op: drop, amount (fen), extra (values), duplicate, state (state); number."""
        edit = {key: value for key, value in command.items() if key != "action"}
        if edit.get("op") not in self.BILL_EDITS:
            raise ValueError(f"op is one of {', '.join(self.BILL_EDITS)}")
        with self.lock:
            self.bill_edits.append(edit)

    def control_clear_bill_edits(self, command):
        with self.lock:
            self.bill_edits.clear()

    # --- refunds ----------------------------------------------------------------------------------------------

    def begin_settlement(self, order: Order, refund: Refund) -> None:
        """The outcome that was ordered for the next refund, or success."""
        outcome = self.refund_outcomes.pop(0) if self.refund_outcomes else "success"
        if outcome != "hold":
            self.notices.call_later(
                self.options.refund_delay, lambda: self.settle_refund(order, refund, outcome)
            )

    def settle_refund(self, order, refund, outcome, *, notify=True):
        with self.lock:
            is_changed = self.ledger.settle(refund, outcome, self.clock.now())
        if is_changed and notify:
            self.notify_refund(order, refund)

    def notify_payment(self, order):
        if order.notify_url:
            self.notices.send(self.make_payment_message(order))

    def notify_refund(self, order, refund):
        if refund.notify_url or order.notify_url:
            self.notices.send(self.make_refund_message(order, refund))

    # --- for subclasses ---------------------------------------------------------------------------------------

    default_buyer = ""
    BILL_EDITS: tuple[str, ...] = ()

    def make_config(self) -> dict:
        """What a client is configured with; `config.json`. Values that begin with -----BEGIN become *.pem too."""
        raise NotImplementedError

    def describe(self, request: Request) -> str:
        """What a fault's `match` is compared with."""
        return request.path

    def prepare_payment(self, number: str) -> None:
        """Alipay: what the payer does before a trade exists."""

    def serve_api(self, request: Request, faults: dict) -> Response:
        raise NotImplementedError

    def serve_page(self, request: Request) -> Response:
        raise NotImplementedError

    def is_acknowledged(self, status: int, body: bytes) -> bool:
        raise NotImplementedError

    def make_payment_message(self, order):
        raise NotImplementedError

    def make_refund_message(self, order, refund):
        raise NotImplementedError

    # --- state directory --------------------------------------------------------------------------------------

    def write_config(self) -> None:
        config = self.make_config() | {"base_url": self.base_url, "control_token": self.control_token}
        for name, value in config.items():
            if isinstance(value, str) and value.startswith("-----BEGIN"):
                write_atomically(self.directory / f"{name}.pem", value)
        write_atomically(self.directory / "config.json", json.dumps(config, indent=2, ensure_ascii=False))


def describe_refund(refund: Refund) -> dict:
    return {
        "out_refund_no": refund.number,
        "gateway_reference": refund.gateway_number,
        "fen": refund.fen,
        "state": refund.state,
    }


def describe_order(order: Order) -> dict:
    return {
        "out_trade_no": order.number,
        "gateway_reference": order.gateway_number,
        "kind": order.kind,
        "fen": order.fen,
        "state": order.state,
        "code": order.code,
        "created_at": order.created_at.isoformat(),
        "paid_at": order.paid_at.isoformat() if order.paid_at else None,
        "refunds": [describe_refund(refund) for refund in order.refunds.values()],
    }


def write_atomically(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent)  # mode 0600
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(name).replace(path)


# --- the process ------------------------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "SimulatedGateway"
    timeout = 30
    gateway: Gateway

    def do_GET(self):
        self._serve()

    def do_POST(self):
        self._serve()

    def _serve(self):
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = -1
        if not 0 <= length <= MAX_BODY or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            return self._write(Response(400))
        request = Request(self.command, self.path, self.headers, self.rfile.read(length))
        response = self.gateway.handle(request)
        if response is None:
            self.close_connection = True
            return None
        return self._write(response)

    def _write(self, response):
        try:
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            if response.status != 204:
                self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # a client that reads no more than it wants

    def log_message(self, text, *values):
        _logger.info("%s %s", self.command, values[1] if len(values) > 1 else "")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        if isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            return
        super().handle_error(request, client_address)


def get_parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m tests.fakes.{name}")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--state", required=True, help="directory for keys, config.json and ready.json")
    parser.add_argument(
        "--retry-scale", type=float, default=0.01, help="retries of notices, shortened by this"
    )
    parser.add_argument("--refund-delay", type=float, default=0.3, help="seconds until a refund ends")
    parser.add_argument(
        "--notify-host",
        action="append",
        default=[],
        help="send notices to this host too, not to this machine only",
    )
    parser.add_argument(
        "--early-bills", action="store_true", help="bills of yesterday are there before 9 or 10 o'clock"
    )
    parser.add_argument("--verbose", action="store_true")
    return parser


def run(gateway_class: type[Gateway], name: str) -> None:
    options = get_parser(name).parse_args()
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING)
    directory = Path(options.state)
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    (directory / "ready.json").unlink(missing_ok=True)
    gateway = gateway_class(options)
    handler = type("Handler", (_Handler,), {"gateway": gateway})
    with _Server((HOST, options.port), handler) as server:
        gateway.base_url = f"http://{HOST}:{server.server_address[1]}"
        gateway.write_config()
        ready = {"base_url": gateway.base_url, "config": "config.json", "pid": os.getpid()}
        write_atomically(directory / "ready.json", json.dumps(ready))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
        server.serve_forever(poll_interval=0.1)
        gateway.notices.stop()
