"""The CI engine that other tools embed.

>>> from ci_core import Workflow, step
>>> @step
... def greet(ctx):
...     ctx.say(f"hello from {ctx.job}")
>>> report = Workflow("hello").job("greet", greet).run()
>>> report.outcome
'success'

`Workflow` builds a workflow, `load` reads a CircleCI or GitLab CI file; `run` and `run_async` run it,
`start` gives a handle to watch and steer it. `reports` reads test reports and coverage.
"""

from . import reports
from ._event import Event, EventStream, Sink
from ._exceptions import (
    CiError,
    ExecutorError,
    ForkError,
    InvalidWorkflow,
    NotFound,
    ReportError,
    RunError,
    SpecError,
    StoreError,
    WorkflowFailed,
)
from ._executor import (
    Command,
    CommandIo,
    CopyRoot,
    DockerExecutor,
    Executor,
    LocalExecutor,
    NativeExecutor,
    PrepareRequest,
    Session,
)
from ._native import __version__
from ._outcome import ExitStatus, Outcome
from ._report import BudgetReport, JobReport, RunReport
from ._run import (
    Again,
    ApprovalRequest,
    Approver,
    Options,
    Run,
    rerun,
    resume,
    run,
    run_async,
    start,
    start_async,
)
from ._step import FunctionStep, Step, StepContext, StepLike, step
from ._store import JobResult, LogLine, RunPage, RunSummary, Store, StoredRun
from ._workflow import FidelityRow, Project, Workflow, WorkflowSpec, load

__all__ = [
    "Again",
    "ApprovalRequest",
    "Approver",
    "BudgetReport",
    "CiError",
    "Command",
    "CommandIo",
    "CopyRoot",
    "DockerExecutor",
    "Event",
    "EventStream",
    "Executor",
    "ExecutorError",
    "ExitStatus",
    "FidelityRow",
    "ForkError",
    "FunctionStep",
    "InvalidWorkflow",
    "JobReport",
    "JobResult",
    "LocalExecutor",
    "LogLine",
    "NativeExecutor",
    "NotFound",
    "Options",
    "Outcome",
    "PrepareRequest",
    "Project",
    "ReportError",
    "Run",
    "RunError",
    "RunPage",
    "RunReport",
    "RunSummary",
    "Session",
    "Sink",
    "SpecError",
    "Step",
    "StepContext",
    "StepLike",
    "Store",
    "StoreError",
    "StoredRun",
    "Workflow",
    "WorkflowFailed",
    "WorkflowSpec",
    "__version__",
    "load",
    "reports",
    "rerun",
    "resume",
    "run",
    "run_async",
    "start",
    "start_async",
    "step",
]
