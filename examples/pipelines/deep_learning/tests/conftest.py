"""What the tests share."""

import json
import os
import threading
import urllib.error
import urllib.request

import pytest

from samo.api import serve


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of graphics cards are skipped where there is none."""
    if os.path.exists("/dev/nvidia0"):
        return
    skip = pytest.mark.skip(reason="there is no graphics card")
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(skip)


@pytest.fixture
def post():
    """Sends a text to a server of its own."""
    server = serve()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def send(body: object) -> tuple[int, dict]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{server.server_port}/analyze", json.dumps(body).encode()
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    yield send
    server.shutdown()
    thread.join()
    server.server_close()
