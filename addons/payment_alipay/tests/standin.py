"""A web server on loopback that says what a test tells it to: one answer a request, and keeps what it was asked.

It knows nothing of trades; the tests sign the answers with the key they choose.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

from . import keyring


class Standin:
    def __init__(self):
        self.requests = []  # parameters of each request, biz_content decoded
        self.answers = []  # callables or (status, headers, body); the last one stays
        handler = type("Handler", (_Handler,), {"standin": self})
        self.server = _Server(("127.0.0.1", 0), handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/gateway.do"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def say(self, *answers):
        """Each is what `answer()` returns, bytes of a 200, or a function writing to the handler by itself."""
        self.answers = list(answers)
        self.requests.clear()

    def next_answer(self):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def answer(method, node, *, owner="alipay", node_text=None, extra=None, sign=True):
    """A 200 answer to this method with the node signed by the owner's key."""
    name = f"{method.replace('.', '_')}_response"
    raw = node_text or json.dumps(node, ensure_ascii=False, separators=(",", ":"))
    parts = [f'"{name}":{raw}', *(f'"{key}":{json.dumps(value)}' for key, value in (extra or {}).items())]
    if sign:
        parts.append(f'"sign":"{keyring.sign(raw, keyring.make_key(owner))}"')
    return ("{" + ",".join(parts) + "}").encode()


def ok(method, **values):
    return answer(method, {"code": "10000", "msg": "Success", **values})


def refuse(method, sub_code, code="40004"):
    return answer(
        method, {"code": code, "msg": "Business Failed", "sub_code": sub_code, "sub_msg": "业务失败"}
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Clients that hang up in the middle are what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    standin: Standin

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        params = dict(parse_qsl(self.rfile.read(length).decode(), keep_blank_values=True))
        if "biz_content" in params:
            params["biz_content"] = json.loads(params["biz_content"])
        self.standin.requests.append(params)
        self._answer()

    def do_GET(self):
        self.standin.requests.append({"path": self.path})
        self._answer()

    def _answer(self):
        reply = self.standin.next_answer()
        if callable(reply):
            self.close_connection = True
            reply(self)
            return
        status, headers, body = reply if isinstance(reply, tuple) else (200, {}, reply)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass
