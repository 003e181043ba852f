//! What a launch gave to its machine.

use crate::ec2;

/// The private host key that a launch put into the user data.
#[must_use]
pub fn host_key_of(user_data: &str) -> Option<String> {
    ec2::host_key_of(user_data)
}
