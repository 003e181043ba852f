"""The CI engine that other tools embed.

>>> from ci_core import Workflow, step
>>> @step
... def greet(ctx):
...     ctx.say(f"hello from {ctx.job}")
>>> report = Workflow("hello").job("greet", greet).run()
>>> report.outcome
'success'

`Workflow` builds a workflow, `load` reads a CircleCI or GitLab CI file; `run` and `run_async` run it,
`start` gives a handle to watch and steer it. `Watch` runs what is new in repositories. `reports` reads
test reports and coverage, `versions` compares versions.
"""

from . import reports, versions
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
    Ec2Executor,
    Executor,
    LocalExecutor,
    NativeExecutor,
    PrepareRequest,
    Session,
    SwarmExecutor,
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
from ._storage import Artifact, Storage
from ._store import (
    JobResult,
    KeptCoverage,
    KeptTest,
    LogLine,
    LogReader,
    RunPage,
    RunSummary,
    Store,
    StoredRun,
)
from ._view import (
    FailedJob,
    FileCoverage,
    Finding,
    FlakyInRun,
    Gate,
    Metric,
    Place,
    RunView,
)
from ._watch import Change, CommitWatcher, Decision, StepRunner, Triggers, Watch
from ._workflow import FidelityRow, Project, Workflow, WorkflowSpec, load

__all__ = [
    "Again",
    "ApprovalRequest",
    "Approver",
    "Artifact",
    "BudgetReport",
    "Change",
    "CiError",
    "Command",
    "CommandIo",
    "CommitWatcher",
    "CopyRoot",
    "Decision",
    "DockerExecutor",
    "Ec2Executor",
    "Event",
    "EventStream",
    "Executor",
    "ExecutorError",
    "ExitStatus",
    "FailedJob",
    "FidelityRow",
    "FileCoverage",
    "Finding",
    "FlakyInRun",
    "ForkError",
    "FunctionStep",
    "Gate",
    "InvalidWorkflow",
    "JobReport",
    "JobResult",
    "KeptCoverage",
    "KeptTest",
    "LocalExecutor",
    "LogLine",
    "LogReader",
    "Metric",
    "NativeExecutor",
    "NotFound",
    "Options",
    "Outcome",
    "Place",
    "PrepareRequest",
    "Project",
    "ReportError",
    "Run",
    "RunError",
    "RunPage",
    "RunReport",
    "RunSummary",
    "RunView",
    "Session",
    "Sink",
    "SpecError",
    "Step",
    "StepContext",
    "StepLike",
    "StepRunner",
    "Storage",
    "Store",
    "StoreError",
    "StoredRun",
    "SwarmExecutor",
    "Triggers",
    "Watch",
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
    "versions",
]
