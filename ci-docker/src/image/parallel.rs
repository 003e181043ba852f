//! The targets of a bake file, built in parallel.

use futures_util::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::bake::BakeTarget;
use super::{BuildWatch, Builder, Built, ImageError};

/// What came of a target.
#[derive(Debug)]
#[non_exhaustive]
pub struct Baked {
    /// The name of the target.
    pub name: String,
    /// The image, or why there is none.
    pub result: Result<Built, ImageError>,
}

impl Builder {
    /// Builds targets, so many at once. The first that fails cancels the others.
    pub async fn bake(
        &self,
        targets: &[BakeTarget],
        at_once: usize,
        watch: &BuildWatch,
        cancel: &CancellationToken,
    ) -> Vec<Baked> {
        let stop = cancel.child_token();
        let building = targets.iter().map(|target| async {
            let result = self.build(&target.spec, &target.name, watch, &stop).await;
            if result.is_err() {
                stop.cancel();
            }
            let name = target.name.clone();
            Baked { name, result }
        });
        let building: Vec<_> = building.collect();
        let mut baked: Vec<Baked> = stream::iter(building)
            .buffer_unordered(at_once.max(1))
            .collect()
            .await;
        let place = |name: &str| targets.iter().position(|target| target.name == name);
        baked.sort_by_key(|baked| place(&baked.name));
        baked
    }
}
