"""Runs every new commit of a repository, and shows how it went.

    python ci_server.py /path/to/repo :8080

The second argument is the address of the step runner; without one, the repository's own CI file runs.
"""

from __future__ import annotations

import sys

import uvicorn

from server.app import create_app
from server.config import config, parser


def main() -> int:
    """Serves until Ctrl-C."""
    args = parser().parse_args()
    made = config(args)
    shown = "127.0.0.1" if args.host == "0.0.0.0" else args.host
    print(f"runs of {made.repository} are kept in {made.state}", file=sys.stderr)
    print(f"the token is in {args.token_file or made.state / 'token'}, or in CI_SERVER_TOKEN", file=sys.stderr)
    print(f"http://{shown}:{args.port}/ shows them, http://{shown}:{args.port}/docs tells the rest", file=sys.stderr)
    uvicorn.run(
        create_app(made),
        host=args.host,
        port=args.port,
        log_level="warning",
        access_log=False,
        # Longer than clients keep a connection: who asks on one that is just closed gets no answer.
        timeout_keep_alive=75,
        # Whoever follows a run would keep the server for ever.
        timeout_graceful_shutdown=3,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
