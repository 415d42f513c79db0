"""A proxy that asks for gzip, whatever it was itself asked for: the gateway asks its upstream not to compress."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


@contextlib.contextmanager
def recompressing(upstream):
    """Serves in front of `upstream` until the block ends; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {"content-type": self.headers["content-type"], "accept-encoding": "gzip"}
            with httpx.stream("POST", upstream + self.path, content=body, headers=headers) as answer:
                compressed = b"".join(answer.iter_raw())
            self.send_response(answer.status_code)
            for name in ("content-type", "content-encoding"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.send_header("content-length", str(len(compressed)))
            self.end_headers()
            self.wfile.write(compressed)

        def log_message(self, *_):
            """Its requests are in the records that the tests read."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
