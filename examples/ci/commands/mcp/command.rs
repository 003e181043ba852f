//! Serves one client until it has nothing more to ask.

use std::path::PathBuf;
use std::sync::Arc;

use ci_core::secret::SecretSet;
use rmcp::ServiceExt as _;

use super::server::Server;
use crate::args::Global;
use crate::failure::Failure;
use crate::kept::Kept;
use crate::open;

#[derive(Debug, clap::Args)]
pub(crate) struct McpArgs {
    /// Also offer to cancel, approve and run again
    #[arg(long)]
    allow_write: bool,
    /// A file that maps context names to their secret variables, whose values are masked in answers;
    /// may be repeated
    #[arg(long, value_name = "FILE")]
    context: Vec<PathBuf>,
}

/// Answers until standard input ends.
pub(crate) async fn mcp(global: &Global, args: McpArgs) -> Result<u8, Failure> {
    let kept = Kept::here(global)?;
    let server = Server {
        store: kept.store()?,
        storage: kept.storage()?,
        secrets: Arc::new(secrets(&args)?),
        allow_write: args.allow_write,
    };
    let broke = |error: String| Failure::engine(format!("the client: {error}"));
    let running = server.serve(rmcp::transport::stdio()).await;
    let running = running.map_err(|error| broke(error.to_string()))?;
    running
        .waiting()
        .await
        .map_err(|error| broke(error.to_string()))?;
    Ok(0)
}

/// What a store has is masked already; what looks like a secret of this process is masked once more.
fn secrets(args: &McpArgs) -> Result<SecretSet, Failure> {
    let contexts = open::contexts(&args.context)?;
    let looks_secret = |name: &str| {
        let name = name.to_ascii_uppercase();
        [
            "TOKEN",
            "SECRET",
            "PASSWORD",
            "PASSWD",
            "WEBHOOK",
            "API_KEY",
            "PRIVATE_KEY",
        ]
        .iter()
        .any(|part| name.contains(part))
    };
    let own = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let own: Vec<_> = own.filter(|(name, _)| looks_secret(name)).collect();
    let named = contexts.values().flatten();
    let all = named.chain(own.iter().map(|(name, value)| (name, value)));
    Ok(SecretSet::new(all.map(|(name, value)| (&**name, &**value))).0)
}
