//! What can go wrong in a cloud.

/// Short for a result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A cloud said no, or said nothing.
///
/// `operation` is the cloud's own name of the call (`ec2:RunInstances`), `object` what it was about in our words
/// (``machine `control-plane-3` ``), `message` the cloud's own message.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No credentials were found. `looked_in` lists the places of the cloud's own chain.
    #[error("no credentials for {cloud}: looked in {looked_in} ({message})")]
    MissingCredentials {
        /// The cloud.
        cloud: &'static str,
        /// Where they were looked for.
        looked_in: String,
        /// What the chain said.
        message: String,
    },
    /// Nobody answers where the cloud should be.
    #[error("{endpoint} does not answer: {message}")]
    Unreachable {
        /// What was asked, with its address.
        endpoint: String,
        /// What was seen, and what to do.
        message: String,
    },
    /// A setting of the connection cannot be used.
    #[error("`{setting}`: {message}")]
    Settings {
        /// The setting's name.
        setting: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// The credentials may not do that, or are not valid.
    #[error("{operation} for {object} was refused: {message}")]
    Denied {
        /// The call.
        operation: &'static str,
        /// What it was about.
        object: String,
        /// The cloud's message.
        message: String,
    },
    /// The credentials were not taken, for a reason that no permission mends: `remedy` is a sentence that says what does.
    #[error("{operation} for {object} was refused: {message}")]
    Credentials {
        /// The call.
        operation: &'static str,
        /// What it was about.
        object: String,
        /// The cloud's message.
        message: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The cloud has no such machine to give, here or now. `object` names the machine type and the zone.
    #[error("{operation} for {object}: {message}")]
    Capacity {
        /// The call.
        operation: &'static str,
        /// What it was about.
        object: String,
        /// The cloud's message.
        message: String,
    },
    /// A quota is used up.
    #[error("{operation} for {object}: {message}")]
    Quota {
        /// The call.
        operation: &'static str,
        /// What it was about.
        object: String,
        /// The cloud's message.
        message: String,
    },
    /// Something that has to be there is not (a DNS zone, an image).
    #[error("{object} does not exist: {message}")]
    NotFound {
        /// What is missing.
        object: String,
        /// Where it was looked for.
        message: String,
    },
    /// Something of that name is there and is not ours.
    #[error("{object} exists already and does not bear our tags: {message}")]
    Foreign {
        /// What it is, with its id.
        object: String,
        /// What to do.
        message: String,
    },
    /// A root bears another claim than the one that was given.
    #[error("{object} is claimed by another state (claim {found:?})")]
    ClaimMismatch {
        /// What it is, with its id.
        object: String,
        /// The claim it bears.
        found: Option<String>,
    },
    /// Still not there after the bounded wait.
    #[error("{object} was not {awaited} within {seconds} s")]
    NotInTime {
        /// What was waited for.
        object: String,
        /// The state that was waited for.
        awaited: &'static str,
        /// How long.
        seconds: u64,
    },
    /// The bucket has objects in it.
    #[error("{object} is not empty: {message}")]
    NotEmpty {
        /// The bucket.
        object: String,
        /// What to do.
        message: String,
    },
    /// Any other answer that a retry does not mend.
    #[error("{operation} for {object} failed: {code}: {message}")]
    Api {
        /// The call.
        operation: &'static str,
        /// What it was about.
        object: String,
        /// The cloud's error code; empty where there was no answer.
        code: String,
        /// The cloud's message.
        message: String,
    },
}
