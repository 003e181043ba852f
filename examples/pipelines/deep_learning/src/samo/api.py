"""The service: text in, the likeliest emotion out."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from samo.models import load_model


def analyze(text: str) -> dict[str, object]:
    """The likeliest emotion of a text, and how likely all are."""
    if not text.strip():
        raise ValueError("the text is empty")
    scores = load_model("emotion").predict(text)
    best = max(scores, key=lambda emotion: scores[emotion])
    return {"emotion": best, "scores": scores}


class Handler(BaseHTTPRequestHandler):
    """Answers `POST /analyze`."""

    def do_POST(self) -> None:
        """Analyzes the text of the body."""
        length = int(self.headers.get("Content-Length", 0))
        try:
            body = json.loads(self.rfile.read(length))
            status, answer = 200, analyze(body["text"])
        except (KeyError, ValueError) as error:
            status, answer = 400, {"error": str(error)}
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Stays silent."""


def serve(port: int = 0) -> ThreadingHTTPServer:
    """A server on this machine; it does not answer before `serve_forever`."""
    return ThreadingHTTPServer(("127.0.0.1", port), Handler)
