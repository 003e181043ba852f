//! The file that one command leaves to the next: shell assignments, for its owner alone.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::variables::StrategyName;
use crate::ec2::{Ec2Error, Ec2ErrorKind};

/// What is in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateFile {
    /// `TARGET_INSTANCE_ID`.
    pub instance: String,
    /// `E2C_PUBLIC_IP`: the address under which it is reached.
    pub address: String,
    /// `E2C_INSTANCE_STRATEGY`.
    pub strategy: StrategyName,
}

impl StateFile {
    /// What there is to say of an instance.
    #[must_use]
    pub fn new(instance: &str, address: &str, strategy: StrategyName) -> Self {
        Self {
            instance: instance.to_owned(),
            address: address.to_owned(),
            strategy,
        }
    }

    /// The file of a job in `dir`.
    #[must_use]
    pub fn path(dir: &Path, job: &str) -> PathBuf {
        dir.join(format!(".e2c_instance_state_{job}"))
    }

    /// Reads a file; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read, or is not whole.
    pub fn read(path: &Path) -> Result<Option<Self>, Ec2Error> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).map(Some).ok_or_else(|| {
                let text = format!("the state file `{}` is not whole", path.display());
                Ec2Error::new(Ec2ErrorKind::State, text)
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Ec2Error::file("read", path, error)),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        // A last line without its end was cut.
        let whole = text.strip_suffix('\n')?;
        let get = |name: &str| {
            let mut values = whole.lines().filter_map(|line| {
                let (key, value) = line.split_once('=')?;
                (key == name).then_some(value)
            });
            values.next_back().filter(|it| is_plain(it))
        };
        Some(Self {
            instance: get("TARGET_INSTANCE_ID")?.to_owned(),
            address: get("E2C_PUBLIC_IP")?.to_owned(),
            strategy: StrategyName::parse(get("E2C_INSTANCE_STRATEGY")?)?,
        })
    }

    fn text(&self) -> String {
        format!(
            "TARGET_INSTANCE_ID={}\nE2C_PUBLIC_IP={}\nE2C_INSTANCE_STRATEGY={}\n",
            self.instance,
            self.address,
            self.strategy.as_str()
        )
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Ec2Error> {
        if !is_plain(&self.instance) || !is_plain(&self.address) {
            let text = "the instance has an id or an address that no shell takes as it is";
            return Err(Ec2Error::new(Ec2ErrorKind::State, text));
        }
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let new = PathBuf::from(new);
        let written = (|| {
            // Somebody else's leftover shall not decide about the mode.
            match fs::remove_file(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut options = fs::OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&new)?;
            file.write_all(self.text().as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, path)
        })();
        written.map_err(|error| Ec2Error::file("write", path, error))
    }
}

/// What a shell takes as it is.
fn is_plain(text: &str) -> bool {
    let allowed = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | '_' | ':');
    !text.is_empty() && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use proptest::prelude::*;

    use super::*;

    fn sample() -> StateFile {
        StateFile::new(
            "i-0123456789abcdef0",
            "54.123.45.67",
            StrategyName::Template,
        )
    }

    #[test]
    fn it_has_the_form_of_the_seed_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = StateFile::path(dir.path(), "7");
        assert_eq!(StateFile::read(&path).unwrap(), None);
        sample().write(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "TARGET_INSTANCE_ID=i-0123456789abcdef0\nE2C_PUBLIC_IP=54.123.45.67\nE2C_INSTANCE_STRATEGY=template\n"
        );
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(StateFile::read(&path).unwrap(), Some(sample()));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_shell_would_run_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let bad = StateFile::new("i-1", "$(reboot)", StrategyName::Existing);
        assert!(bad.write(&dir.path().join("s")).is_err());
        assert_eq!(
            StateFile::parse(
                "TARGET_INSTANCE_ID=`x`\nE2C_PUBLIC_IP=1\nE2C_INSTANCE_STRATEGY=existing\n"
            ),
            None
        );
    }

    proptest! {
        #[test]
        fn half_a_file_is_no_file(cut in 0_usize..100) {
            let text = sample().text();
            prop_assume!(cut < text.len());
            prop_assert_eq!(StateFile::parse(&text[..cut]), None);
        }
    }
}
