//! Certificate authorities of one's own: servers inside of companies have them.

use super::SendError;
use crate::error::chain;

/// Certificate authorities that a channel trusts beside those of the system.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorities {
    pem: Vec<u8>,
}

impl std::fmt::Debug for Authorities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorities").finish_non_exhaustive()
    }
}

impl Authorities {
    /// The certificates of a file in PEM form, one or several.
    ///
    /// # Errors
    /// When it has no certificate, or one that cannot be read.
    pub fn from_pem(pem: impl Into<Vec<u8>>) -> Result<Self, SendError> {
        let authorities = Self { pem: pem.into() };
        if authorities.for_http()?.is_empty() {
            return Err(SendError::refused("there is no certificate in it"));
        }
        Ok(authorities)
    }

    pub(super) fn for_http(&self) -> Result<Vec<reqwest::Certificate>, SendError> {
        let read = reqwest::Certificate::from_pem_bundle(&self.pem);
        read.map_err(|error| SendError::refused(format!("no certificates: {}", chain(&error))))
    }

    pub(super) fn for_mail(
        &self,
    ) -> Result<lettre::transport::smtp::client::Certificate, SendError> {
        let read = lettre::transport::smtp::client::Certificate::from_pem(&self.pem);
        read.map_err(|error| SendError::refused(format!("no certificates: {}", chain(&error))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused() {
        assert!(Authorities::from_pem("").is_err());
        assert!(Authorities::from_pem("nothing of the kind").is_err());
    }
}
