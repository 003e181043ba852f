//! Asks a plain HTTP URL from this process.

/// Asks with GET: a status from 200 to 399 is an answer. A redirection is an answer of its own and is
/// not followed, and no proxy stands between, because a service of the job is near.
pub(super) async fn ask(request: Request) -> Result<(), String> {
    let Request { client, request } = request;
    let response = client
        .execute(request)
        .await
        .map_err(|error| crate::error::chain(&error.without_url()))?;
    let status = response.status().as_u16();
    if (200..400).contains(&status) {
        Ok(())
    } else {
        Err(format!("status {status}"))
    }
}

/// A request that is ready to be sent.
pub(super) struct Request {
    client: reqwest::Client,
    request: reqwest::Request,
}

/// The request for a URL; an error in words if it is none.
pub(super) fn request(url: &str) -> Result<Request, String> {
    let no_url = |error: reqwest::Error| {
        let why = crate::error::chain(&error.without_url());
        format!("`{}` is no URL: {why}", crate::steps::mask_url(url))
    };
    let client = crate::http::client()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(no_url)?;
    let request = client.get(url).build().map_err(no_url)?;
    Ok(Request { client, request })
}
