//! URLs without what is secret in them.

/// `url` with `***` for the user and the password in it, if it has any.
pub(super) fn mask_url(url: &str) -> String {
    match user_info(url) {
        Some(info) => url.replacen(&format!("{info}@"), "***@", 1),
        None => url.to_owned(),
    }
}

/// `text` with `***` wherever the user and the password of `url` stand in it.
#[cfg(feature = "git")]
pub(super) fn mask_in(text: &str, url: &str) -> String {
    match user_info(url) {
        Some(info) => {
            let text = text.replace(&format!("{info}@"), "***@");
            match info.split_once(':') {
                Some((_, password)) if !password.is_empty() => text.replace(password, "***"),
                _ => text,
            }
        }
        None => text.to_owned(),
    }
}

/// What stands between `://` and `@` in the authority of a URL. The user of an SSH URL alone is no
/// secret.
fn user_info(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (info, _) = authority.rsplit_once('@')?;
    let secret = info.contains(':') || !scheme.to_ascii_lowercase().contains("ssh");
    (!info.is_empty() && secret).then_some(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_masked() {
        for (url, masked) in [
            ("https://ada:pw@host/x@y", "https://***@host/x@y"),
            ("https://token@host/", "https://***@host/"),
            ("https://a@b:c@host/", "https://***@host/"),
            ("ssh://git@host/x", "ssh://git@host/x"),
            ("ssh://git:pw@host/x", "ssh://***@host/x"),
            ("git@host:x", "git@host:x"),
            ("https://host/a@b", "https://host/a@b"),
            ("/a/path", "/a/path"),
        ] {
            assert_eq!(mask_url(url), masked);
        }
    }

    #[cfg(feature = "git")]
    #[test]
    fn user_and_password_are_masked_in_messages() {
        let text = mask_in(
            "no pass for `https://u:hunter2@h/`: hunter2",
            "https://u:hunter2@h/",
        );
        assert_eq!(text, "no pass for `https://***@h/`: ***");
    }
}
