//! One unit of work in a job: the trait, the closure adapter, and the data form of the built-in steps.

mod code;
mod context;
mod registry;
mod spec;
#[expect(
    clippy::module_inception,
    reason = "the trait gives the module its name"
)]
mod step;
mod step_fn;

pub use code::CodeStep;
pub use context::{StepContext, StepEnv, StepRecord, StepServices};
pub use registry::StepRegistry;
pub use spec::{
    Action, ApprovalSpec, CacheLookup, CheckoutSpec, CommandSpec, CustomSpec, PathsSpec,
    RestoreCacheSpec, SaveCacheSpec, StepSpec, StepWhen, WaitProbe, WaitSpec, WorkspaceSpec,
};
pub use step::{SessionUse, Step, StepError};
pub use step_fn::{StepFn, step_fn};
