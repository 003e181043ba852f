//! `ci cache`.

use serde_json::json;

use crate::args::{CacheArgs, CacheCommand, Format, Global};
use crate::failure::{Failure, chain};
use crate::kept::Kept;
use crate::output;

/// Looks at or removes caches.
pub(crate) fn cache(global: &Global, args: &CacheArgs) -> Result<u8, Failure> {
    let storage = Kept::here(global)?.storage()?;
    let failed = |error| Failure::engine(chain(&error));
    match &args.command {
        CacheCommand::List => {
            let caches = storage.caches().map_err(failed)?;
            if global.format == Format::Json {
                let data: Vec<_> = caches.iter().map(|cache| json!(cache)).collect();
                output::json(&json!({ "total": data.len(), "data": data }))?;
                return Ok(0);
            }
            let mut rows = vec![["KEY", "SIZE"].map(String::from).to_vec()];
            rows.extend(
                caches
                    .iter()
                    .map(|cache| vec![cache.key.clone(), output::size(cache.bytes)]),
            );
            output::print(&output::table(&rows))?;
        }
        CacheCommand::Rm { keys, all } => {
            let keys: Vec<String> = if *all {
                let known = storage.caches().map_err(failed)?;
                known.into_iter().map(|cache| cache.key).collect()
            } else {
                keys.clone()
            };
            for key in &keys {
                if !storage.knows_cache(key).map_err(failed)? {
                    return Err(Failure::input(format!("no cache has the key `{key}`"))
                        .hint("`ci cache list` lists them"));
                }
            }
            for key in &keys {
                storage.remove_cache(None, key).map_err(failed)?;
            }
            if global.format == Format::Json {
                output::json(&json!({ "removed": keys }))?;
                return Ok(0);
            }
            output::say(format!("{} caches removed", keys.len()));
        }
    }
    Ok(0)
}
