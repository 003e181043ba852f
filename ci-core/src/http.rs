//! HTTP clients as the whole crate makes them.

/// A client that says who it is, and speaks TLS also where the program has chosen no cryptography: other
/// crates of the program may build the same client library without one, which it answers with a panic.
pub(crate) fn client() -> reqwest::ClientBuilder {
    // A program that has chosen a provider keeps it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().user_agent(concat!("ci-core/", env!("CARGO_PKG_VERSION")))
}
