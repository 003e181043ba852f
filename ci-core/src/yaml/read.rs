//! Text as one value of a type.

use serde::de::DeserializeOwned;

use super::de::Reader;
use super::problem::Problems;
use super::{Limits, Loader, Node, YamlError, YamlErrorKind};

/// What a workflow may cost, which a program may have written.
pub(crate) const SPEC_LIMITS: Limits = Limits {
    bytes: 64 << 20,
    nodes: 10_000_000,
    depth: 128,
};

/// Reads the one document of a text, with the scalars of YAML 1.2 (JSON is YAML).
///
/// A text gets a plain scalar as it is written, so `1.10`, `yes` and `on` are texts where texts are
/// wanted; what is in quotes is never anything else. Truth values are `true` and `false` only. A map or
/// list that is left empty has no entries. A key that stands twice is an error.
///
/// ```
/// use std::collections::BTreeMap;
///
/// let versions: BTreeMap<String, String> = ci_core::yaml::from_str("rust: 1.90\nnode: 22")?;
/// assert_eq!(versions["rust"], "1.90");
///
/// let error = ci_core::yaml::from_str::<BTreeMap<String, u8>>("rust: 1\nnode: 300").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "line 2, column 7: invalid value: integer `300`, expected u8"
/// );
/// # Ok::<(), ci_core::yaml::YamlError>(())
/// ```
///
/// # Errors
/// For text that is no YAML, empty text, several documents, text that goes over the usual
/// [limits](Limits), and a document that is no value of the type. The place is that of the value; of an
/// unknown field that of its key, of a missing one that of the map.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    from_node(&document(text, Limits::default())?)
}

/// The one document of a text, for [`from_node`].
pub(crate) fn document(text: &str, limits: Limits) -> Result<Node, YamlError> {
    let mut problems = Problems::new();
    let loader = Loader::default().limits(limits).typed();
    let mut documents = loader
        .load(text, "", &mut problems)
        .map_err(|problem| YamlError::of_problem(&problem, YamlErrorKind::Syntax))?
        .into_iter();
    if let Err(error) = problems.finish()
        && let Some(first) = error.problems().first()
    {
        return Err(YamlError::of_problem(first, YamlErrorKind::Value));
    }
    match (documents.next(), documents.next()) {
        (Some(document), None) => Ok(document),
        (None, _) => Err(YamlError::syntax("there is nothing to read")),
        (_, Some(second)) => {
            let message = "there is more than one YAML document; only one belongs here";
            Err(YamlError::syntax(message).at(&second.mark))
        }
    }
}

/// Reads a [`document`].
pub(crate) fn from_node<T: DeserializeOwned>(node: &Node) -> Result<T, YamlError> {
    T::deserialize(Reader::of(node)).map_err(|error| error.at(&node.mark))
}
