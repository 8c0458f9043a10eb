"""A proxy before an HTTP server that fails as it is told."""

import http.client
import threading
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

HOP_BY_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length")
ERROR = "<?xml version='1.0'?><Error><Code>{}</Code><Message>{}</Message></Error>"


class Fault(Enum):
    """What happens to a request."""

    NONE = auto()
    ERROR_500 = auto()  # it is not done, and an error is the answer
    ERROR_403 = auto()
    ERROR_404 = auto()
    SILENCE = auto()  # it is not done, and there is no answer until the proxy is closed
    LOST_REPLY = auto()  # it is done, and an error is the answer
    CUT_REPLY = auto()  # it is done, and the answer ends in its middle
    STALLED_REPLY = auto()  # it is done, and the answer stops in its middle
    HANGUP = auto()  # it is not done, and the connection ends


ERRORS = {
    Fault.ERROR_500: (500, "InternalError"),
    Fault.ERROR_403: (403, "AccessDenied"),
    Fault.ERROR_404: (404, "NoSuchKey"),
    Fault.LOST_REPLY: (500, "InternalError"),
}


class UnreliableProxy:
    """Passes requests on, except for those that are to fail."""

    def __init__(self, endpoint: str) -> None:
        self.behind = urlsplit(endpoint).netloc
        self.always = Fault.NONE
        self.next: deque[Fault] = deque()
        self.requests: list[str] = []  # the method and the path of each
        self.closing = threading.Event()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                proxy.answer(self)

            def __getattr__(self, name: str) -> Callable[[], None]:
                if name.startswith("do_"):
                    return self.handle_any
                raise AttributeError(name)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        self.requests.append(f"{request.command} {request.path}")
        fault = self.next.popleft() if self.next else self.always
        if fault in (Fault.SILENCE, Fault.HANGUP):
            if fault is Fault.SILENCE:
                self.closing.wait()
            request.close_connection = True
            return
        status, headers, content = 0, {}, b""
        if fault not in ERRORS or fault is Fault.LOST_REPLY:
            status, headers, content = self._ask(request, body)
        if fault in ERRORS:
            status, code = ERRORS[fault]
            content = ERROR.format(code, f"key {request.headers['Authorization']}").encode()
            headers = {}
        request.send_response(status)
        for name, value in headers.items():
            if name.lower() not in HOP_BY_HOP:
                request.send_header(name, value)
        length = headers.get("Content-Length", "0") if request.command == "HEAD" else len(content)
        request.send_header("Content-Length", str(length))
        request.end_headers()
        is_whole = fault not in (Fault.CUT_REPLY, Fault.STALLED_REPLY)
        if request.command != "HEAD":
            request.wfile.write(content if is_whole else content[: len(content) // 2])
        if fault is Fault.STALLED_REPLY:
            self.closing.wait()
        if not is_whole:
            request.close_connection = True

    def _ask(
        self, request: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.behind, timeout=60)
        try:
            # With the headers as they are: the signature is of them.
            connection.request(request.command, request.path, body, dict(request.headers))
            reply = connection.getresponse()
            return reply.status, dict(reply.headers), reply.read()
        finally:
            connection.close()
