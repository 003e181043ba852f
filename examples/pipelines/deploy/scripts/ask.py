"""Asks the service for a path. With --healthy it waits up to five seconds for an answer of 200."""

import sys
import time
import urllib.error
import urllib.request

arguments = sys.argv[1:]
healthy = "--healthy" in arguments
path = [it for it in arguments if it != "--healthy"][0]
with open("site/port") as file:
    url = f"http://127.0.0.1:{file.read().strip()}{path}"
deadline = time.monotonic() + (5 if healthy else 0)
while True:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            print(answer.read().decode().strip())
            sys.exit(0)
    except urllib.error.HTTPError as error:
        said = f"{error.code}: {error.read().decode().strip()}"
        # It answers, and says no: that does not pass.
        deadline = min(deadline, time.monotonic())
    except OSError as error:
        said = str(error)
    if time.monotonic() >= deadline:
        print(f"{path} is not healthy: {said}", file=sys.stderr)
        sys.exit(1)
    time.sleep(0.1)
