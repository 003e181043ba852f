"""What the server is told when it starts."""

from __future__ import annotations

import argparse
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

First = Literal["nothing", "tips", "everything"]


@dataclass(frozen=True)
class Config:
    """How the server runs."""

    repository: Path
    """The repository that is watched."""
    state: Path
    """The directory of the run store, the storage and the token."""
    token: str
    """What a request that changes something has to carry."""
    step_runner: str | None = None
    """The address of the step runner; without one, the repository's own CI file runs."""
    first: First = "tips"
    """What is new in a repository that was never watched."""
    runs: int = 4
    """How many runs go on at once."""
    reply_timeout: float = 600
    """How many seconds the step runner may take to answer before the call counts as hung."""
    budget: float = 1800
    """How many seconds all calls for a step may take together."""
    poll: float | None = None
    """How often to look for commits, in seconds, whatever the system tells."""
    watch: bool = True
    """Whether the repository is watched; without, the server only shows."""

    @property
    def store(self) -> Path:
        """The file of the run store."""
        return self.state / "runs.db"

    @property
    def storage(self) -> Path:
        """The directory of caches, workspaces and artifacts."""
        return self.state / "storage"


def parser() -> argparse.ArgumentParser:
    """What can be typed."""
    it = argparse.ArgumentParser(
        prog="ci_server.py", description="Runs every new commit of a repository, and shows how it went."
    )
    it.add_argument("repository", type=Path, help="the repository")
    it.add_argument(
        "step_runner",
        nargs="?",
        metavar="[HOST]:PORT",
        help="the step runner that does lint, build and test; without it, the repository's own CI file runs",
    )
    it.add_argument("--host", default="127.0.0.1", help="the address to listen on [%(default)s]")
    it.add_argument("--port", type=int, default=9000, help="the port [%(default)s]")
    it.add_argument("--state", type=Path, help="where runs are kept [in the user's state directory]")
    it.add_argument(
        "--token-file", type=Path, help="a file with the token [made in the state directory; or CI_SERVER_TOKEN]"
    )
    it.add_argument(
        "--first", choices=get_args(First), default="tips", help="what is new at the very first start [%(default)s]"
    )
    it.add_argument("--runs", type=int, default=4, metavar="N", help="how many runs go on at once [%(default)s]")
    it.add_argument(
        "--reply-timeout",
        type=float,
        default=600,
        metavar="SECONDS",
        help="how long a call of the step runner may take before it counts as hung [%(default)g]",
    )
    it.add_argument(
        "--budget",
        type=float,
        default=1800,
        metavar="SECONDS",
        help="how long all calls for a step may take together [%(default)g]",
    )
    it.add_argument("--poll", type=float, metavar="SECONDS", help="how often to look for commits, beside events")
    it.add_argument("--no-watch", action="store_true", help="only show what is stored")
    return it


def config(args: argparse.Namespace) -> Config:
    """The configuration that was typed. Raises `SystemExit` for what cannot be used."""
    repository = args.repository.resolve()
    if not repository.is_dir():
        raise SystemExit(f"error: there is no directory `{args.repository}`")
    state: Path = args.state or default_state(repository)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Config(
        repository=repository,
        state=state.resolve(),
        token=token(args.token_file, state),
        step_runner=args.step_runner,
        first=args.first,
        runs=args.runs,
        reply_timeout=args.reply_timeout,
        budget=args.budget,
        poll=args.poll,
        watch=not args.no_watch,
    )


def default_state(repository: Path) -> Path:
    """A directory for each repository, so that the runs of several do not mix."""
    home = os.environ.get("XDG_STATE_HOME", "")
    root = Path(home) if os.path.isabs(home) else Path.home() / ".local/state"
    digest = hashlib.sha256(os.fsencode(repository)).hexdigest()[:12]
    return root / "ci-server" / f"{repository.name}-{digest}"


def token(file: Path | None, state: Path) -> str:
    """The token: from the environment, a file, or made once and kept."""
    if said := os.environ.get("CI_SERVER_TOKEN"):
        return said
    file = file or state / "token"
    try:
        said = file.read_text().strip()
    except FileNotFoundError:
        said = secrets.token_urlsafe(32)
        # Nobody else may read it, not even for a moment.
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(said + "\n")
    if not said:
        raise SystemExit(f"error: the token file `{file}` is empty")
    return said
