"""A small service to deploy to: two sides, blue and green, of which `site/live` names the live one.

    /                the page of the live side
    /health          whether the live side is healthy
    /blue/..., /green/...   the same of one side

A side is healthy if its file `health` says `ok`; `ok until live` is what it says.
"""

import argparse
import http.server
import pathlib

SITE = pathlib.Path("site")
SIDES = ("blue", "green")


def live() -> str:
    return (SITE / "live").read_text().strip()


def answer(path: str) -> tuple[int, str]:
    parts = [part for part in path.split("/") if part]
    side = parts.pop(0) if parts and parts[0] in SIDES else live()
    if parts == ["health"]:
        file = SITE / side / "health"
        says = file.read_text().strip() if file.is_file() else "empty"
        healthy = says == "ok" or (says == "ok until live" and side != live())
        return (200, "ok") if healthy else (503, says)
    page = SITE / side / "index.html"
    if parts or not page.is_file():
        return 404, "nothing here"
    return 200, f"{side}: {page.read_text().strip()}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # noqa: N802
        status, text = answer(self.path)
        body = (text + "\n").encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0, help="0 takes any that is free")
    port = parser.parse_args().port
    SITE.mkdir(exist_ok=True)
    if not (SITE / "live").is_file():
        (SITE / "live").write_text("blue\n")
        (SITE / "blue").mkdir(exist_ok=True)
        (SITE / "blue" / "health").write_text("ok\n")
        (SITE / "blue" / "index.html").write_text("the first release\n")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    (SITE / "port").write_text(f"{server.server_port}\n")
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
