"""Asks the service for a path. With --healthy it waits up to five seconds for an answer of 200, with --up for any."""

import sys
import time
import urllib.error
import urllib.request

options = {it for it in sys.argv[1:] if it.startswith("--")}
path = [it for it in sys.argv[1:] if not it.startswith("--")][0]
deadline = time.monotonic() + (5 if options else 0)
while True:
    try:
        # The service writes its port when it listens.
        with open("site/port") as file:
            url = f"http://127.0.0.1:{file.read().strip()}{path}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            print(answer.read().decode().strip())
            sys.exit(0)
    except urllib.error.HTTPError as error:
        if "--up" in options:
            sys.exit(0)
        said = f"{error.code}: {error.read().decode().strip()}"
        # It answers, and says no: that does not pass.
        deadline = min(deadline, time.monotonic())
    except (OSError, ValueError) as error:
        said = str(error)
    if time.monotonic() >= deadline:
        print(f"{path} is not healthy: {said}", file=sys.stderr)
        sys.exit(1)
    time.sleep(0.1)
