//! The set of secret values of a run.

/// What stands where a secret was.
pub const MASK: &str = "***";

/// Values of fewer bytes are not masked: they would blot out ordinary text.
pub const MIN_SECRET_LEN: usize = 4;

/// The secret values of a run with every spelling of them that has to be masked.
#[derive(Default)]
pub struct SecretSet {
    values: Vec<String>,
}

impl std::fmt::Debug for SecretSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretSet({} values)", self.values.len())
    }
}

/// A value that cannot be masked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret `{name}` is shorter than {MIN_SECRET_LEN} characters and is not masked")]
pub struct SecretWarning {
    /// The name of the variable that holds it.
    pub name: String,
}

impl SecretSet {
    /// The set of the given named values, with a warning for each that is too short to mask.
    pub fn new<'a>(
        secrets: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> (Self, Vec<SecretWarning>) {
        let mut warnings = Vec::new();
        let mut values = Vec::new();
        for (name, value) in secrets {
            if value.len() < MIN_SECRET_LEN {
                warnings.push(SecretWarning {
                    name: name.to_owned(),
                });
            } else {
                values.push(value.to_owned());
            }
        }
        (Self { values }, warnings)
    }

    /// Whether there is nothing to mask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// `text` with every secret masked.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        self.values
            .iter()
            .fold(text.to_owned(), |text, value| text.replace(value, MASK))
    }
}
