//! What a user reads when a cloud says no: what failed, on what, and the next step.

use clouds::Error;
use tf_provider::Diagnostic;

/// What holds after a create or change that ended early.
const GOES_ON: &str = "What was made so far is kept, and the next apply goes on from it.";
/// What holds after a removal that ended early.
const REMOVES_ON: &str = "What is removed is gone, and the next try goes on with the rest.";

/// An error of a cloud while something was made or changed. `doing` is the summary: ``Cannot make region `nyc1` ``.
pub(crate) fn cloud(doing: &str, error: &Error) -> Diagnostic {
    said(doing, error, GOES_ON)
}

/// An error of a cloud that was only asked: for a plan, a refresh, an import.
pub(crate) fn asking(doing: &str, error: &Error) -> Diagnostic {
    said(doing, error, "")
}

/// An error of a cloud while something was removed.
pub(crate) fn removing(doing: &str, error: &Error) -> Diagnostic {
    said(doing, error, REMOVES_ON)
}

/// An error of a cloud that was asked for what `attribute` names.
pub(crate) fn asking_for(attribute: &str, doing: &str, error: &Error) -> Diagnostic {
    match error {
        Error::NotFound { object, message } => {
            Diagnostic::error(doing).detail(format!("{object} does not exist: {message}\n\nCorrect `{attribute}`, or make it."))
        }
        _ => asking(doing, error),
    }
}

fn said(doing: &str, error: &Error, after: &str) -> Diagnostic {
    match error {
        // Whatever was being done, this is what has to be mended.
        Error::MissingCredentials { .. } | Error::Unreachable { .. } => {
            Diagnostic::error(summary(error)).detail(detail(error, ""))
        }
        _ => Diagnostic::error(doing).detail(detail(error, after).trim_end()),
    }
}

fn summary(error: &Error) -> String {
    match error {
        Error::MissingCredentials { cloud, .. } => format!("No credentials for {cloud}"),
        Error::Unreachable { endpoint, .. } => format!("No answer from {endpoint}"),
        other => other.to_string(),
    }
}

fn detail(error: &Error, after: &str) -> String {
    match error {
        Error::MissingCredentials { cloud, looked_in, message } => format!(
            "The provider needs credentials for {cloud}, and found none. It looked in: {looked_in}. The last answer was: {message}\n\n\
             Give them in one of those places, or name a profile or a role in the provider's block for this cloud."
        ),
        Error::Unreachable { endpoint, message } => format!("{endpoint} does not answer: {message}."),
        Error::Settings { setting, message } => {
            let place = if setting.starts_with("AWS_") { "in the environment" } else { "in the provider's block for this cloud" };
            format!("The setting `{setting}` cannot be used: {message}\n\nCorrect it {place}.")
        }
        Error::Denied { operation, object, message } => format!(
            "`{operation}` for {object} was refused: {message}\n\n\
             Allow `{operation}` to the credentials in use, or use others. {after}"
        ),
        Error::Credentials { operation, object, message, remedy } => {
            format!("`{operation}` for {object} was refused: {message}\n\n{remedy} {after}")
        }
        Error::Capacity { operation, object, message } => format!(
            "`{operation}` for {object} was refused, since the cloud has none to give there: {message}\n\n\
             Choose another `machine_type` or other `zones`, or apply again later. {after}"
        ),
        Error::Quota { operation, object, message } => format!(
            "`{operation}` for {object} was refused for want of quota: {message}\n\n\
             Raise the quota, free what is not needed, or ask for less, then apply again. {after}"
        ),
        Error::NotFound { object, message } => {
            format!("{object} does not exist: {message}\n\nMake it, or correct its name in the configuration.")
        }
        Error::Foreign { object, message } => format!(
            "{object} exists already and is not this resource's, so it was left alone: {message}\n\n\
             Choose another name, or remove that object first."
        ),
        Error::ClaimMismatch { object, found } => {
            let found = found.as_deref().map_or_else(|| "no claim".to_owned(), |claim| format!("the claim `{claim}`"));
            format!(
                "{object} bears {found}, which is not the one of this row of state, so it was left alone.\n\n\
                 Another state has taken it up, or another resource of this configuration that has the same name. Run `terraform plan \
                 -refresh-only` to see what still belongs to this row."
            )
        }
        Error::NotInTime { object, awaited, seconds } => format!(
            "{object} was not {awaited} within {seconds} s.\n\n\
             Look at it in the cloud's console, then apply again; `timeouts` sets how long is waited. {after}"
        ),
        Error::NotEmpty { object, message } => format!("{object} is not empty: {message}"),
        Error::Api { operation, object, code, message } if code.is_empty() => format!(
            "`{operation}` for {object} got no answer that could be used: {message}\n\n\
             Check the way to the cloud's API (network, proxy, `endpoints`), then try again. {after}"
        ),
        Error::Api { operation, object, code, message } => {
            format!("`{operation}` for {object} failed with `{code}`: {message}\n\n{after}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(error: &Error) -> String {
        format!("{}\n---\n{}", summary(error), detail(error, GOES_ON))
    }

    #[test]
    fn missing_credentials_name_the_places() {
        insta::assert_snapshot!(said(&Error::MissingCredentials {
            cloud: "AWS",
            looked_in: "the environment (`AWS_ACCESS_KEY_ID`), profile `default` of `~/.aws/config`".into(),
            message: "the credential provider was not enabled".into(),
        }), @r"
        No credentials for AWS
        ---
        The provider needs credentials for AWS, and found none. It looked in: the environment (`AWS_ACCESS_KEY_ID`), profile `default` of `~/.aws/config`. The last answer was: the credential provider was not enabled

        Give them in one of those places, or name a profile or a role in the provider's block for this cloud.
        ");
    }

    #[test]
    fn a_quota_says_that_the_next_apply_goes_on() {
        insta::assert_snapshot!(detail(&Error::Quota {
            operation: "ec2:RunInstances",
            object: "machine `control-plane-2`".into(),
            message: "You have requested more vCPU capacity than your current vCPU limit of 8 allows".into(),
        }, GOES_ON), @r"
        `ec2:RunInstances` for machine `control-plane-2` was refused for want of quota: You have requested more vCPU capacity than your current vCPU limit of 8 allows

        Raise the quota, free what is not needed, or ask for less, then apply again. What was made so far is kept, and the next apply goes on from it.
        ");
    }

    #[test]
    fn every_refusal_names_the_call_and_the_object() {
        let object = || "bucket `b`".to_owned();
        let message = || "why".to_owned();
        let operation = "s3:CreateBucket";
        for error in [
            Error::Denied { operation, object: object(), message: message() },
            Error::Quota { operation, object: object(), message: message() },
            Error::Capacity { operation, object: object(), message: message() },
            Error::Credentials { operation, object: object(), message: message(), remedy: "Do this." },
            Error::Api { operation, object: object(), code: String::new(), message: message() },
            Error::Api { operation, object: object(), code: "OperationAborted".into(), message: message() },
        ] {
            let text = detail(&error, GOES_ON);
            assert!(text.contains("`s3:CreateBucket` for bucket `b`") && text.contains("why"), "{text}");
        }
    }

    #[test]
    fn another_states_object_is_left_alone() {
        insta::assert_snapshot!(detail(&Error::ClaimMismatch { object: "network `vpc-1`".into(), found: Some("abc".into()) }, GOES_ON), @r"
        network `vpc-1` bears the claim `abc`, which is not the one of this row of state, so it was left alone.

        Another state has taken it up, or another resource of this configuration that has the same name. Run `terraform plan -refresh-only` to see what still belongs to this row.
        ");
    }

    #[test]
    fn a_next_apply_is_spoken_of_only_where_something_was_made() {
        let error = Error::Api {
            operation: "sts:GetCallerIdentity",
            object: "the credentials".into(),
            code: String::new(),
            message: "nobody answers".into(),
        };
        assert!(cloud("Cannot make it", &error).detail_text().contains(GOES_ON));
        assert!(removing("Cannot remove it", &error).detail_text().contains(REMOVES_ON));
        insta::assert_snapshot!(asking("Cannot use `aws/us-east-1`", &error), @r"
        Cannot use `aws/us-east-1`: `sts:GetCallerIdentity` for the credentials got no answer that could be used: nobody answers

        Check the way to the cloud's API (network, proxy, `endpoints`), then try again.
        ");
    }
}
