//! What a new machine is told when it starts: its host key, who may log in, and when it ends itself.
//!
//! The form is that of cloud-init: a MIME archive of parts, see *user data formats* in its
//! documentation. What the launch template says comes after ours, so that nothing of it is lost.

use std::time::Duration;

/// The keys of a launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keys {
    /// The private half of the host key, in the form of OpenSSH.
    pub(super) host_private: String,
    /// Its public half: `ssh-ed25519 AAAA…`.
    pub(super) host_public: String,
    /// The public key of the user, if one was made for the launch.
    pub(super) user_public: Option<String>,
}

/// The user data of a launch.
pub(super) fn user_data(keys: &Keys, time_limit: Duration, template: Option<&[u8]>) -> Vec<u8> {
    let mut boundary = "==ci-core-part==".to_owned();
    // A boundary may stand in no part.
    let holds = |text: &[u8], word: &str| text.windows(word.len()).any(|it| it == word.as_bytes());
    while template.is_some_and(|template| holds(template, &boundary)) {
        boundary.insert(2, 'x');
    }
    let mut data =
        format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\nMIME-Version: 1.0\n\n")
            .into_bytes();
    let mut part = |head: &str, body: &[u8]| {
        data.extend(format!("--{boundary}\n{head}\n").as_bytes());
        data.extend(body);
        data.extend(b"\n");
    };
    // First, so that a template that takes its time does not put it off.
    let script = limit_script(time_limit);
    part(
        &head("text/x-shellscript", "ci-core-limit.sh"),
        script.as_bytes(),
    );
    part(
        &head("text/cloud-config", "ci-core-keys.cfg"),
        config(keys).as_bytes(),
    );
    match template {
        // A template that is an archive of its own brings its own head.
        Some(template) if is_archive(template) => part("", template),
        Some(template) => part(&head(kind(template), "template"), template),
        None => {}
    }
    data.extend(format!("--{boundary}--\n").as_bytes());
    data
}

fn head(kind: &str, name: &str) -> String {
    format!(
        "Content-Type: {kind}; charset=\"us-ascii\"\nMIME-Version: 1.0\n\
         Content-Disposition: attachment; filename=\"{name}\"\n"
    )
}

/// Ends the machine, with a second way where the first one is not there.
fn limit_script(time_limit: Duration) -> String {
    let seconds = time_limit.as_secs().max(60);
    let minutes = seconds.div_ceil(60);
    format!(
        "#!/bin/sh\n\
         # Ends this machine, whoever forgets it.\n\
         shutdown -P +{minutes} 2>/dev/null || \
         systemd-run --on-active={seconds} --timer-property=AccuracySec=1s systemctl poweroff 2>/dev/null || \
         (nohup sh -c 'sleep {seconds}; poweroff -f' >/dev/null 2>&1 &)\n"
    )
}

fn config(keys: &Keys) -> String {
    let mut text = String::from(
        "#cloud-config\n\
         merge_how: dict(recurse_array,no_replace)+list(append)\n\
         ssh_deletekeys: true\n\
         ssh_genkeytypes: []\n\
         ssh_keys:\n\
         \x20 ed25519_private: |\n",
    );
    for line in keys.host_private.lines() {
        text.push_str("    ");
        text.push_str(line);
        text.push('\n');
    }
    text.push_str("  ed25519_public: ");
    text.push_str(keys.host_public.trim());
    text.push('\n');
    if let Some(user) = &keys.user_public {
        text.push_str("ssh_authorized_keys:\n  - ");
        text.push_str(user.trim());
        text.push('\n');
    }
    text
}

fn is_archive(data: &[u8]) -> bool {
    let start = data.get(..64.min(data.len())).unwrap_or_default();
    let start = String::from_utf8_lossy(start).to_ascii_lowercase();
    start.starts_with("content-type: multipart/") || start.starts_with("mime-version:")
}

/// The kind of a part, by how it starts, as cloud-init tells them apart.
fn kind(data: &[u8]) -> &'static str {
    for (start, kind) in [
        (&b"#cloud-config"[..], "text/cloud-config"),
        (b"#include", "text/x-include-url"),
        (b"#cloud-boothook", "text/cloud-boothook"),
        (b"#part-handler", "text/part-handler"),
        (b"## template: jinja", "text/jinja2"),
    ] {
        if data.starts_with(start) {
            return kind;
        }
    }
    "text/x-shellscript"
}

/// The host key in user data that [`user_data`] made: its private half.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn host_key_of(data: &str) -> Option<String> {
    let (_, rest) = data.split_once("ed25519_private: |\n")?;
    let lines = rest.lines().take_while(|line| line.starts_with("    "));
    let lines: Vec<&str> = lines.map(str::trim_start).collect();
    Some(lines.join("\n") + "\n")
}

/// The host keys that a machine printed on its console as cloud-init does it.
pub(super) fn console_keys(text: &str) -> Vec<String> {
    const BEGIN: &str = "-----BEGIN SSH HOST KEY KEYS-----";
    const END: &str = "-----END SSH HOST KEY KEYS-----";
    // The last block is that of the last start.
    let Some((_, rest)) = text.rsplit_once(BEGIN) else {
        return Vec::new();
    };
    let Some((block, _)) = rest.split_once(END) else {
        return Vec::new();
    };
    block
        .lines()
        .filter_map(|line| {
            // Some consoles put a time or a name before each line.
            let words: Vec<&str> = line.split_whitespace().collect();
            let at = words
                .iter()
                .position(|word| word.starts_with("ssh-") || word.starts_with("ecdsa-sha2-"))?;
            Some(format!("{} {}", words.get(at)?, words.get(at + 1)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys {
            host_private: "-----BEGIN\nabc\n-----END\n".to_owned(),
            host_public: "ssh-ed25519 AAAA".to_owned(),
            user_public: Some("ssh-ed25519 BBBB".to_owned()),
        }
    }

    #[test]
    fn everything_gets_to_the_machine() {
        let template = b"#!/bin/bash\necho hello\n";
        let data = user_data(&keys(), Duration::from_secs(90), Some(template));
        let text = String::from_utf8(data).unwrap();
        assert!(text.contains("shutdown -P +2 "), "{text}");
        assert!(text.contains("    abc\n"), "{text}");
        assert!(text.contains("  - ssh-ed25519 BBBB\n"), "{text}");
        assert!(text.contains("text/x-shellscript; charset=\"us-ascii\"\nMIME-Version: 1.0\nContent-Disposition: attachment; filename=\"template\"\n\n#!/bin/bash\necho hello"), "{text}");
        assert_eq!(host_key_of(&text).unwrap(), keys().host_private);
    }

    #[test]
    fn an_archive_of_the_template_stays_one() {
        let inner = user_data(&keys(), Duration::from_mins(1), None);
        let text = String::from_utf8(user_data(&keys(), Duration::from_mins(1), Some(&inner)));
        let text = text.unwrap();
        assert!(text.contains("boundary=\"==xci-core-part==\""), "{text}");
        assert!(text.contains("--==xci-core-part==\n\nContent-Type: multipart/mixed; boundary=\"==ci-core-part==\""), "{text}");
    }

    #[test]
    fn the_last_keys_of_a_console_count() {
        let text = "-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 OLD root@x\n-----END SSH HOST KEY KEYS-----\n\
                    -----BEGIN SSH HOST KEY KEYS-----\n[  9.1] cloud-init: ssh-ed25519 NEW root@x\n\
                    ecdsa-sha2-nistp256 EC\n-----END SSH HOST KEY KEYS-----\n";
        assert_eq!(
            console_keys(text),
            ["ssh-ed25519 NEW", "ecdsa-sha2-nistp256 EC"]
        );
        assert!(console_keys("-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 CUT").is_empty());
        assert!(console_keys("").is_empty());
    }
}
