//! Steps that a spec names.
use super::Step;
use std::collections::BTreeMap;
use std::sync::Arc;
type Factory = Arc<dyn Fn(&serde_json::Value) -> Result<Arc<dyn Step>, String> + Send + Sync>;
/// Steps that a spec names.
#[derive(Clone, Default)]
pub struct StepRegistry {
    map: BTreeMap<String, Factory>,
}
impl std::fmt::Debug for StepRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.map.keys()).finish()
    }
}
impl StepRegistry {
    /// Registers.
    pub fn register(
        &mut self,
        name: impl Into<String>,
        f: impl Fn(&serde_json::Value) -> Result<Arc<dyn Step>, String> + Send + Sync + 'static,
    ) {
        self.map.insert(name.into(), Arc::new(f));
    }
}
