//! What a job may ask the engine for, decided from the request alone: method, path, query and body.
//!
//! Paths and fields are those of the Docker Engine API, v1.24 to v1.51. What is not named here is
//! refused: an engine that learns more gives jobs no more.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes to the engine.
    Pass,
    /// It goes to the engine if the thing is the job's.
    Own(Kind, String),
    /// It goes to the engine with the labels of the job in its body.
    Label(Kind),
    /// It goes to the engine, which tells only of what is the job's.
    Narrow,
    /// It goes to the engine, and what it builds has the labels.
    LabelBuild,
    /// It does not go to the engine.
    Refuse(&'static str),
}

/// What kind of thing a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Container,
    Network,
    Volume,
    /// A command in a container.
    Exec,
}

/// What becomes of a request for `path`, which has no query and maybe a version in front.
pub(super) fn judge(method: &str, path: &str) -> Verdict {
    use Verdict::{Label, LabelBuild, Narrow, Own, Pass, Refuse};
    let bare = path.trim_start_matches('/');
    let bare = match bare.split_once('/') {
        Some((first, rest)) if is_version(first) => rest,
        _ => bare,
    };
    // The engine would unfold what hides another word.
    if bare.contains(['%', '\\']) || bare.split('/').any(|part| part == ".." || part == ".") {
        return Refuse("the path is not plain");
    }
    let parts: Vec<&str> = bare.split('/').collect();
    let own = |kind, name: &str| Own(kind, name.to_owned());
    let write = method == "POST" || method == "DELETE" || method == "PUT";
    match (method, parts.as_slice()) {
        ("POST", ["images" | "build", "prune"]) => Refuse("the cache is everybody's"),
        ("GET" | "HEAD", ["_ping" | "version" | "info"])
        | ("POST", ["auth" | "session" | "grpc"] | ["build", "cancel"])
        | ("GET", ["distribution", ..])
        // What removes images has other methods; `prune` is named above.
        | ("GET" | "POST", ["images", ..]) => Pass,
        ("GET", ["containers", "json"] | ["networks" | "volumes" | "events"]) => Narrow,
        ("POST", ["containers", "create"]) => Label(Kind::Container),
        ("POST", ["networks", "create"]) => Label(Kind::Network),
        ("POST", ["volumes", "create"]) => Label(Kind::Volume),
        (_, ["containers" | "networks" | "volumes", "prune"]) => {
            Refuse("what others made would be removed")
        }
        ("POST", ["containers", _, "update"]) => Refuse("limits are not the job's to change"),
        (_, ["containers", name] | ["containers", name, _]) => own(Kind::Container, name),
        (_, ["networks", name]) | ("POST", ["networks", name, "connect" | "disconnect"]) => {
            own(Kind::Network, name)
        }
        ("GET" | "DELETE", ["volumes", name]) => own(Kind::Volume, name),
        (_, ["exec", name, _]) => own(Kind::Exec, name),
        ("POST", ["build"]) => LabelBuild,
        (_, ["images", ..]) => Refuse("images are everybody's, and stay for other jobs"),
        _ if write => Refuse("jobs may not do this to the engine"),
        _ => Refuse("jobs may not see this of the engine"),
    }
}

fn is_version(part: &str) -> bool {
    let number = part.strip_prefix('v').unwrap_or_default();
    number.starts_with(|it: char| it.is_ascii_digit())
        && number.chars().all(|it| it.is_ascii_digit() || it == '.')
}

/// The body of a request that makes something, with the labels. An error says what of it gives power
/// over the machine.
pub(super) fn labelled(
    kind: Kind,
    body: &[u8],
    labels: &HashMap<String, String>,
) -> Result<Vec<u8>, String> {
    let mut body: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| format!("the body is no object: {error}"))?;
    let found = match kind {
        Kind::Container => power_of_container(&body),
        Kind::Network => power_of_network(&body),
        // With options it is any directory of the machine.
        Kind::Volume => has(&body, &["DriverOpts"]).or_else(|| other_driver(&body)),
        Kind::Exec => has(&body, &["Privileged"]),
    };
    if let Some(what) = found {
        return Err(format!("`{what}` gives power over the machine"));
    }
    if labels.is_empty() {
        return serde_json::to_vec(&body).map_err(|error| error.to_string());
    }
    let entry = field(&mut body, "Labels");
    let all = entry.as_object_mut();
    let own = labels
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)));
    match all {
        Some(all) => all.extend(own),
        None => *entry = Value::Object(own.collect()),
    }
    serde_json::to_vec(&body).map_err(|error| error.to_string())
}

/// A field of a body, whose name the engine reads in any case of letters; made if it is not there.
fn field<'a>(body: &'a mut Map<String, Value>, name: &str) -> &'a mut Value {
    // Of several the last would win: only one is left.
    let same: Vec<String> = body
        .keys()
        .filter(|key| key.eq_ignore_ascii_case(name))
        .cloned()
        .collect();
    let mut value = Value::Null;
    for key in same {
        value = body.remove(&key).unwrap_or_default();
    }
    body.entry(name.to_owned()).or_insert(value)
}

/// A field whose name the engine reads in any case of letters.
fn get<'a>(body: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Value> {
    body.iter()
        .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// The first of some fields that says something.
fn has<'a>(body: &Map<String, Value>, names: &[&'a str]) -> Option<&'a str> {
    let says = |value: &Value| match value {
        Value::Null => false,
        Value::Bool(it) => *it,
        Value::String(it) => !it.is_empty(),
        Value::Array(it) => !it.is_empty(),
        Value::Object(it) => !it.is_empty(),
        Value::Number(it) => it.as_f64() != Some(0.0),
    };
    names.iter().copied().find(|name| get(body, name).any(says))
}

fn power_of_container(body: &Map<String, Value>) -> Option<&'static str> {
    const POWERS: [&str; 14] = [
        "Privileged",
        "CapAdd",
        "Devices",
        "DeviceRequests",
        "DeviceCgroupRules",
        "SecurityOpt",
        "VolumesFrom",
        "CgroupParent",
        "Runtime",
        "Sysctls",
        "GroupAdd",
        "MaskedPaths",
        "ReadonlyPaths",
        "VolumeDriver",
    ];
    const MODES: [&str; 6] = [
        "NetworkMode",
        "PidMode",
        "IpcMode",
        "UTSMode",
        "UsernsMode",
        "CgroupnsMode",
    ];
    for config in get(body, "HostConfig") {
        let Value::Object(config) = config else {
            continue;
        };
        // An empty list of what is hidden hides nothing.
        for name in ["MaskedPaths", "ReadonlyPaths"] {
            if get(config, name).any(Value::is_array) {
                return Some(if name == "MaskedPaths" {
                    "MaskedPaths"
                } else {
                    "ReadonlyPaths"
                });
            }
        }
        if let Some(power) = has(config, &POWERS) {
            return Some(power);
        }
        for name in MODES {
            let foreign = |value: &Value| {
                value
                    .as_str()
                    .is_some_and(|it| it == "host" || it.starts_with("container:"))
            };
            if get(config, name).any(foreign) {
                return Some(name);
            }
        }
        let binds = get(config, "Binds").filter_map(Value::as_array).flatten();
        if !binds.filter_map(Value::as_str).all(is_volume) {
            return Some("Binds");
        }
        let mounts = get(config, "Mounts").filter_map(Value::as_array).flatten();
        for mount in mounts {
            let Value::Object(mount) = mount else {
                return Some("Mounts");
            };
            let is_harmless = |kind: &Value| {
                kind.as_str().is_some_and(|kind| {
                    ["volume", "tmpfs"]
                        .iter()
                        .any(|it| kind.eq_ignore_ascii_case(it))
                })
            };
            let mut kinds = get(mount, "Type");
            // The options of a volume name any directory of the machine.
            let options = get(mount, "VolumeOptions").filter_map(Value::as_object);
            let has_driver = options
                .into_iter()
                .any(|it| has(it, &["DriverConfig"]).is_some());
            if !kinds.all(is_harmless) || get(mount, "Type").next().is_none() || has_driver {
                return Some("Mounts");
            }
        }
    }
    None
}

/// Whether a bind has the name of a volume in front.
fn is_volume(bind: &str) -> bool {
    let source = bind.split(':').next().unwrap_or_default();
    bind.contains(':') && !source.contains(['/', '\\', '.']) && !source.is_empty()
        // A name in front of nothing is a directory of the container itself.
        || !bind.contains(':')
}

fn power_of_network(body: &Map<String, Value>) -> Option<&'static str> {
    let drivers = get(body, "Driver").filter_map(Value::as_str);
    let strange = drivers
        .into_iter()
        .any(|it| !matches!(it, "" | "bridge" | "default"));
    if strange {
        return Some("Driver");
    }
    has(body, &["Options", "ConfigFrom", "Ingress"])
}

fn other_driver(body: &Map<String, Value>) -> Option<&'static str> {
    let mut drivers = get(body, "Driver").filter_map(Value::as_str);
    let strange = drivers.any(|it| !matches!(it, "" | "local"));
    strange
        .then_some("Driver")
        .or_else(|| has(body, &["ClusterVolumeSpec"]))
}

/// The volumes and the networks of others that the body of a container names.
pub(super) fn references(body: &[u8]) -> (Vec<String>, Vec<String>) {
    let (mut volumes, mut networks) = (Vec::new(), Vec::new());
    let body: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    for config in get(&body, "HostConfig").filter_map(Value::as_object) {
        let binds = get(config, "Binds").filter_map(Value::as_array).flatten();
        let names = binds
            .filter_map(Value::as_str)
            .filter_map(|it| it.split_once(':'));
        volumes.extend(names.map(|(name, _)| name.to_owned()));
        let mounts = get(config, "Mounts").filter_map(Value::as_array).flatten();
        for mount in mounts.filter_map(Value::as_object) {
            let is_volume = get(mount, "Type").any(|it| it != "tmpfs");
            let sources = get(mount, "Source").filter_map(Value::as_str);
            volumes.extend(sources.filter(|_| is_volume).map(str::to_owned));
        }
        let modes = get(config, "NetworkMode").filter_map(Value::as_str);
        networks.extend(modes.map(str::to_owned));
    }
    for config in get(&body, "NetworkingConfig").filter_map(Value::as_object) {
        let ends = get(config, "EndpointsConfig").filter_map(Value::as_object);
        networks.extend(ends.flat_map(|ends| ends.keys().cloned()));
    }
    volumes.retain(|name| !name.is_empty());
    networks.retain(|name| !matches!(name.as_str(), "" | "default" | "bridge" | "none"));
    (volumes, networks)
}

/// The value of a `filters` query with labels added: both forms that the API has had.
pub(super) fn narrowed(filters: Option<&str>, labels: &[String]) -> Value {
    let parsed = filters.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let mut all = match parsed {
        Some(Value::Object(all)) => all,
        _ => Map::new(),
    };
    match all.entry("label").or_insert_with(|| json!([])) {
        Value::Array(list) => list.extend(labels.iter().map(|label| json!(label))),
        Value::Object(set) => {
            set.extend(labels.iter().map(|label| (label.clone(), json!(true))));
        }
        other => *other = json!(labels),
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> HashMap<String, String> {
        HashMap::from([("ci-core.run".to_owned(), "1".to_owned())])
    }

    #[test]
    fn jobs_touch_what_is_theirs_and_nothing_else() {
        let own = |name: &str| Verdict::Own(Kind::Container, name.to_owned());
        assert_eq!(judge("GET", "/v1.41/_ping"), Verdict::Pass);
        assert_eq!(judge("DELETE", "/v1.41/containers/abc"), own("abc"));
        assert_eq!(judge("POST", "/containers/abc/start"), own("abc"));
        assert_eq!(judge("GET", "/containers/json"), Verdict::Narrow);
        assert_eq!(judge("POST", "/v1.41/build"), Verdict::LabelBuild);
        for (method, path) in [
            ("POST", "/swarm/init"),
            ("GET", "/secrets"),
            ("POST", "/plugins/pull"),
            ("POST", "/containers/prune"),
            ("POST", "/images/prune"),
            ("DELETE", "/images/base"),
            ("POST", "/containers/../swarm/init"),
            ("POST", "/containers/%2e%2e/x"),
            ("POST", "//containers/create"),
            ("POST", "/v1.41/v1.41/containers/create"),
            ("POST", "/commit"),
        ] {
            let verdict = judge(method, path);
            let fine = matches!(verdict, Verdict::Refuse(_)) || path.starts_with("//");
            assert!(fine, "{method} {path}: {verdict:?}");
        }
        // However it is written, what makes a container is looked at.
        assert_eq!(
            judge("POST", "//containers/create"),
            Verdict::Label(Kind::Container)
        );
    }

    #[test]
    fn what_a_job_makes_has_its_labels_also_where_it_says_otherwise() {
        let body = json!({"Image": "i", "labels": {"ci-core.run": "2", "own": "3"}});
        let body = serde_json::to_vec(&body).unwrap();
        let made = labelled(Kind::Container, &body, &labels()).unwrap();
        let made: Value = serde_json::from_slice(&made).unwrap();
        let expected = json!({"Image": "i", "Labels": {"ci-core.run": "1", "own": "3"}});
        assert_eq!(made, expected);
    }

    #[test]
    fn power_over_the_machine_is_refused_however_it_is_written() {
        for config in [
            json!({"Privileged": true}),
            json!({"privileged": true}),
            json!({"Binds": ["/:/host"]}),
            json!({"Binds": ["cache:/c", "../x:/y"]}),
            json!({"Mounts": [{"Type": "bind", "Source": "/", "Target": "/host"}]}),
            json!({"Mounts": [{"Source": "/", "Target": "/host"}]}),
            json!({"Mounts": [{"Type": "volume", "Target": "/h",
                "VolumeOptions": {"DriverConfig": {"Options": {"device": "/"}}}}]}),
            json!({"PidMode": "host"}),
            json!({"NetworkMode": "container:other"}),
            json!({"CapAdd": ["SYS_ADMIN"]}),
            json!({"Devices": [{"PathOnHost": "/dev/sda"}]}),
            json!({"SecurityOpt": ["seccomp=unconfined"]}),
            json!({"VolumesFrom": ["other"]}),
            json!({"MaskedPaths": []}),
        ] {
            let body = serde_json::to_vec(&json!({"hostconfig": config})).unwrap();
            let made = labelled(Kind::Container, &body, &labels());
            assert!(made.is_err(), "{config}");
        }
        let fine = json!({"HostConfig": {
            "Binds": ["cache:/c"], "Privileged": false, "NetworkMode": "default", "CapAdd": null,
            "Mounts": [{"Type": "tmpfs", "Target": "/t"}], "Memory": 5,
        }});
        let body = serde_json::to_vec(&fine).unwrap();
        assert!(labelled(Kind::Container, &body, &labels()).is_ok());
        let body = br#"{"Name": "v", "DriverOpts": {"type": "none", "device": "/", "o": "bind"}}"#;
        assert!(labelled(Kind::Volume, body, &labels()).is_err());
        assert!(labelled(Kind::Network, br#"{"Driver": "macvlan"}"#, &labels()).is_err());
        assert!(labelled(Kind::Network, b"[]", &labels()).is_err());
    }

    #[test]
    fn what_a_container_names_of_others_is_found() {
        let body = json!({
            "HostConfig": {"NetworkMode": "net", "Binds": ["cache:/c", "/own"],
                "Mounts": [{"Type": "volume", "Source": "vol", "Target": "/v"}]},
            "NetworkingConfig": {"EndpointsConfig": {"other": {}, "bridge": {}}},
        });
        let (volumes, networks) = references(&serde_json::to_vec(&body).unwrap());
        assert_eq!(volumes, ["cache", "vol"]);
        assert_eq!(networks, ["net", "other"]);
    }

    #[test]
    fn lists_are_narrowed_in_both_forms() {
        let labels = ["b".to_owned()];
        let old = narrowed(Some(r#"{"label":{"a":true}}"#), &labels);
        assert_eq!(old, json!({"label": {"a": true, "b": true}}));
        let new = narrowed(Some(r#"{"status":["x"]}"#), &labels);
        assert_eq!(new, json!({"status": ["x"], "label": ["b"]}));
        assert_eq!(narrowed(None, &labels), json!({"label": ["b"]}));
    }
}
