//! Copies, indexes and the tag `latest` in real registries, read back with skopeo.

#[path = "support/registry.rs"]
mod support;

use ci_core::release::{GitObject, LatestRequest, LatestStrategy, TagFacts, VersionOrder};
use ci_docker::registry::{Credentials, MoveLatest, Registry, RegistryErrorKind};
use serde_json::json;

use support::{TestRegistry, USER, put_image, put_raw, sha256, skopeo_digest, skopeo_raw};

const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn registry() -> Registry {
    Registry::new(Credentials::none())
}

#[tokio::test]
async fn images_of_platforms_become_one_index() {
    let (place, registry) = (TestRegistry::open(), registry());
    let (amd, arm) = (place.image("app:1.0-amd64"), place.image("app:1.0-arm64"));
    let amd_digest = put_image(&amd, "linux/amd64", "amd").await;
    let arm_digest = put_image(&arm, "linux/arm64", "arm").await;
    let both = [place.image("app:1.0"), place.image("app:stable")];
    let merged = registry
        .merge(&[arm.clone(), amd.clone()], &both)
        .await
        .unwrap();
    assert_eq!(merged.platforms, ["linux/amd64", "linux/arm64"]);
    for target in &both {
        let raw = skopeo_raw(target);
        assert_eq!(raw["mediaType"], OCI_INDEX);
        assert_eq!(raw["manifests"][0]["digest"], amd_digest);
        assert_eq!(raw["manifests"][1]["digest"], arm_digest);
        assert_eq!(
            raw["manifests"][1]["platform"],
            json!({ "architecture": "arm64", "os": "linux" })
        );
        assert_eq!(skopeo_digest(target), merged.digest);
        assert_eq!(
            registry.digest(target).await.unwrap(),
            Some(merged.digest.clone())
        );
    }
    // Merged again, in another order, it is the same index.
    let again = registry.merge(&[amd, arm], &both[..1]).await.unwrap();
    assert_eq!(again.digest, merged.digest);
    let tags = registry.tags(&place.image("app")).await.unwrap();
    assert_eq!(tags, ["1.0", "1.0-amd64", "1.0-arm64", "stable"]);
    assert!(
        registry
            .tags(&place.image("nothing"))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn children_that_are_indexes_bring_their_attestations() {
    let (place, registry) = (TestRegistry::open(), registry());
    let plain = place.image("app:arm64");
    put_image(&plain, "linux/arm64", "arm").await;
    // As BuildKit pushes a single image with provenance.
    let image = put_image(&place.image("app:inner"), "linux/amd64", "amd").await;
    let statement: &[u8] = b"{\"predicate\":{}}";
    let config: &[u8] = b"{\"architecture\":\"unknown\",\"os\":\"unknown\"}";
    let proof = json!({
        "schemaVersion": 2, "mediaType": OCI_IMAGE,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": sha256(config), "size": config.len() },
        "layers": [{ "mediaType": "application/vnd.in-toto+json", "digest": sha256(statement), "size": statement.len() }],
    });
    let proof = serde_json::to_vec(&proof).unwrap();
    let size = proof.len();
    let proof_name = place.image("app").with_digest(&sha256(&proof));
    let proof = put_raw(&proof_name, &[config, statement], OCI_IMAGE, proof).await;
    let index = json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [
            { "mediaType": OCI_IMAGE, "digest": image, "size": 1, "platform": { "architecture": "amd64", "os": "linux" } },
            { "mediaType": OCI_IMAGE, "digest": proof, "size": size, "platform": { "architecture": "unknown", "os": "unknown" },
              "annotations": { "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image } },
        ],
    });
    let indexed = place.image("app:amd64");
    put_raw(
        &indexed,
        &[],
        OCI_INDEX,
        serde_json::to_vec(&index).unwrap(),
    )
    .await;

    let target = place.image("app:1.0");
    let merged = registry
        .merge(&[plain, indexed.clone()], std::slice::from_ref(&target))
        .await
        .unwrap();
    assert_eq!(merged.platforms, ["linux/amd64", "linux/arm64"]);
    let raw = skopeo_raw(&target);
    let digests: Vec<_> = raw["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["digest"].clone())
        .collect();
    assert_eq!(digests[..2], [json!(image), json!(proof)]);
    assert_eq!(
        raw["manifests"][1]["annotations"]["vnd.docker.reference.digest"],
        json!(image)
    );

    // Copied to another repository, everything is there, attestations included.
    let copy = place.image("release/app:1.0");
    let copied = registry.copy(&target, &copy).await.unwrap();
    assert_eq!(copied.digest, merged.digest);
    assert_eq!(skopeo_raw(&copy), raw);
    let proof_there = place.image("release/app").with_digest(&proof);
    assert!(registry.digest(&proof_there).await.unwrap().is_some());
    // Two sources for one platform are refused.
    let error = registry
        .merge(&[indexed.clone(), place.image("app:inner")], &[target])
        .await;
    assert!(error.is_ok(), "the same image twice is one");
    let other = place.image("app:other");
    put_image(&other, "linux/amd64", "another").await;
    let error = registry
        .merge(&[indexed, other.clone()], &[other])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), RegistryErrorKind::Invalid);
}

#[tokio::test]
async fn a_release_is_copied_with_credentials_of_its_own() {
    let (place, release) = (TestRegistry::open(), TestRegistry::with_lock());
    let source = place.image("app:1.0");
    let digest = put_image(&source, "linux/amd64", "x").await;
    let target = release.image("public/app:1.0");
    let anonymous = registry().copy(&source, &target).await.unwrap_err();
    assert_eq!(
        anonymous.kind(),
        RegistryErrorKind::Unauthorized,
        "{anonymous}"
    );
    let wrong = Credentials::none().with(release.host.as_str(), USER.0, "wrong");
    let wrong = Registry::new(wrong)
        .copy(&source, &target)
        .await
        .unwrap_err();
    assert_eq!(wrong.kind(), RegistryErrorKind::Unauthorized, "{wrong}");
    let own = Credentials::none().with(format!("{}/public", release.host), USER.0, USER.1);
    let registry = Registry::new(own);
    assert_eq!(
        registry.copy(&source, &target).await.unwrap().digest,
        digest
    );
    assert_eq!(
        registry.digest(&target).await.unwrap(),
        Some(digest.clone())
    );
    // A merge across registries copies its sources.
    let merged = registry
        .merge(&[source], &[release.image("public/app:2.0")])
        .await
        .unwrap();
    assert_eq!(merged.platforms, ["linux/amd64"]);
    // Docker's own file serves as well.
    let dir = tempfile::tempdir().unwrap();
    let config = json!({ "auths": { release.host.clone(): { "auth": "Y2k6b3BlbiBzZXNhbWU=" } } });
    std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    let logged_in = Registry::new(Credentials::docker_config(dir.path()));
    assert_eq!(logged_in.digest(&target).await.unwrap(), Some(digest));
}

#[tokio::test]
async fn what_is_not_there_is_told_apart_from_who_does_not_answer() {
    let (place, registry) = (TestRegistry::open(), registry());
    let missing = place.image("app:none");
    assert_eq!(registry.digest(&missing).await.unwrap(), None);
    let error = registry
        .copy(&missing, &place.image("b:1"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), RegistryErrorKind::NotFound);
    let gone = place.image("app:1");
    drop(place);
    let error = registry.digest(&gone).await.unwrap_err();
    assert_eq!(error.kind(), RegistryErrorKind::Unreachable, "{error}");
}

fn wanted(place: &TestRegistry, tag: &str, repositories: &[&str]) -> MoveLatest {
    let request = LatestRequest {
        tag: tag.to_owned(),
        strategy: LatestStrategy::Auto,
        order: VersionOrder::Semver,
        facts: TagFacts {
            git: Some(GitObject::Tag),
            ..TagFacts::default()
        },
    };
    let images = repositories.iter().map(|name| place.image(name));
    MoveLatest::new(request, images.collect())
}

#[tokio::test]
async fn latest_follows_what_is_newer() {
    let (place, registry) = (TestRegistry::open(), registry());
    for version in ["1.9.0", "v1.10.0", "1.8.7", "1.11.0-rc.1"] {
        put_image(
            &place.image(&format!("app:{version}")),
            "linux/amd64",
            version,
        )
        .await;
    }
    let latest = place.image("app:latest");
    let step = async |tag: &str| {
        let report = registry
            .move_latest(&wanted(&place, tag, &["app"]))
            .await
            .unwrap();
        let behind = registry.digest(&latest).await.unwrap();
        (report.decision.moves(), behind)
    };
    let digest = async |tag: &str| registry.digest(&latest.with_tag(tag)).await.unwrap();
    // There is none yet; an older one; a newer one; the same again.
    assert_eq!(step("1.9.0").await, (true, digest("1.9.0").await));
    assert_eq!(step("1.8.7").await, (false, digest("1.9.0").await));
    assert_eq!(step("v1.10.0").await, (true, digest("v1.10.0").await));
    assert_eq!(step("v1.10.0").await, (false, digest("v1.10.0").await));
    // Pushed by hand, it is no version: the highest one stands in for it.
    put_image(&latest, "linux/amd64", "by hand").await;
    assert!(!step("1.9.0").await.0);
    assert!(!step("v1.10.0").await.0, "1.11.0-rc.1 is newer");
    put_image(&place.image("app:1.11.0"), "linux/amd64", "1.11.0").await;
    assert_eq!(step("1.11.0").await, (true, digest("1.11.0").await));
}

#[tokio::test]
async fn several_repositories_follow_the_first_or_none_does() {
    let (place, registry) = (TestRegistry::open(), registry());
    for name in ["django:1.0", "django:2.0", "proxy:2.0"] {
        put_image(&place.image(name), "linux/amd64", name).await;
    }
    let all = wanted(&place, "2.0", &["django", "proxy", "worker"]);
    let error = registry.move_latest(&all).await.unwrap_err();
    assert_eq!(error.kind(), RegistryErrorKind::NotFound);
    assert_eq!(
        registry
            .digest(&place.image("django:latest"))
            .await
            .unwrap(),
        None
    );
    put_image(&place.image("worker:2.0"), "linux/amd64", "worker").await;
    let dry = registry.decide_latest(&all).await.unwrap();
    assert_eq!(dry.changes.len(), 3);
    assert_eq!(
        registry
            .digest(&place.image("django:latest"))
            .await
            .unwrap(),
        None
    );
    registry.move_latest(&all).await.unwrap();
    for name in ["django", "proxy", "worker"] {
        let [latest, two] = ["latest", "2.0"].map(|tag| place.image(&format!("{name}:{tag}")));
        assert_eq!(
            registry.digest(&latest).await.unwrap(),
            registry.digest(&two).await.unwrap()
        );
    }
}
