//! Bucket policies. Calls reach the sandbox over plain HTTP on loopback; they count as made over TLS, as no client could put
//! an object into a bucket that refuses others. moto knows no conditions: it gets a policy without the statements that TLS
//! calls never meet, and the policy as it was put is told from here.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::Value as Json;

use super::Cloud;
use super::answer::{Answer, Refusal};
use super::request::Request;

pub(super) async fn put(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let malformed = || Refusal::new("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'");
    let mut policy: Json = serde_json::from_slice(&request.body).map_err(|_| malformed())?;
    if !policy.is_object() {
        return Err(malformed());
    }
    let mut forwarded = request.clone();
    if bind_over_tls(&mut policy) {
        forwarded.body = Bytes::from(policy.to_string());
    } else {
        // Nothing is left of it, and moto takes no policy without statements.
        forwarded.method = Method::DELETE;
        forwarded.body = Bytes::new();
    }
    let answer = cloud.moto.forward(&forwarded, account).await?;
    if answer.is_ok() {
        cloud.state().bucket_policies.insert(request.bucket.clone(), request.body.clone());
    }
    Ok(answer)
}

pub(super) async fn get(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    // moto says whether the bucket is there and the caller's own.
    let answer = cloud.moto.forward(request, account).await?;
    if !answer.is_ok() && answer.code() != "NoSuchBucketPolicy" {
        return Ok(answer);
    }
    let Some(policy) = cloud.state().bucket_policies.get(&request.bucket).cloned() else { return Ok(answer) };
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    Ok(Answer { status: StatusCode::OK, headers, body: policy })
}

pub(super) async fn delete(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let answer = cloud.moto.forward(request, account).await?;
    if answer.is_ok() {
        cloud.state().bucket_policies.remove(&request.bucket);
    }
    Ok(answer)
}

/// Leaves the statements that calls over TLS can meet; whether there are any.
fn bind_over_tls(policy: &mut Json) -> bool {
    match &mut policy["Statement"] {
        Json::Array(statements) => {
            statements.retain(|statement| !is_for_plain_http(statement));
            !statements.is_empty()
        }
        statement => !is_for_plain_http(statement),
    }
}

/// Conditions of a statement hold together: this one is enough to keep TLS calls out of it.
fn is_for_plain_http(statement: &Json) -> bool {
    let conditions = statement["Condition"]["Bool"].as_object();
    conditions.into_iter().flatten().any(|(key, value)| {
        let value = value.get(0).unwrap_or(value);
        key.eq_ignore_ascii_case("aws:SecureTransport") && (value == "false" || *value == false)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn left_of(statements: &Json) -> Option<Json> {
        let mut policy = json!({"Version": "2012-10-17", "Statement": statements});
        bind_over_tls(&mut policy).then(|| policy["Statement"].take())
    }

    #[test]
    fn a_statement_for_plain_http_never_meets_a_call_over_tls() {
        let plain = json!({"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
        let listed = json!({"Effect": "Deny", "Condition": {"Bool": {"aws:securetransport": ["false"]}}});
        let other = json!({"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "true"}}});
        assert_eq!(left_of(&plain), None);
        assert_eq!(left_of(&json!([plain, listed])), None);
        assert_eq!(left_of(&json!([plain, other])), Some(json!([other])));
        assert_eq!(left_of(&other), Some(other));
    }
}
