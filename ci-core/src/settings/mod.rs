//! The project settings file.
/// S
#[derive(Debug, Clone, Default)]
pub struct Settings {}
/// P
#[derive(Debug)]
pub struct Placement {
    /// e
    pub executor: Option<String>,
    /// c
    pub cpu_milli: u32,
    /// m
    pub memory_mib: u32,
}
/// L
#[derive(Debug, Default)]
pub struct Local {
    /// e
    pub slots: Option<usize>,
    /// c
    pub cpu_milli: Option<u32>,
    /// m
    pub memory_mib: Option<u32>,
}
impl Settings {
    /// x
    pub fn local(&self) -> Local {
        Local::default()
    }
    /// x
    pub fn place(&self, _: &crate::job::JobSpec) -> Result<Placement, String> {
        Ok(Placement {
            executor: None,
            cpu_milli: 0,
            memory_mib: 0,
        })
    }
    /// x
    pub fn apply(
        &self,
        s: crate::workflow::WorkflowSpec,
    ) -> (crate::workflow::WorkflowSpec, Vec<String>) {
        (s, Vec::new())
    }
}
