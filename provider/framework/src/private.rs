//! The envelope around a resource's private data. Core keeps it unread: with the state, and from plan to apply.
//!
//! In state: `{"private": …}`. In a plan: `{"private": …, "planned": …}`, since an apply is given the planned one only.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct WrittenState<'a, T> {
    private: Option<&'a T>,
}

#[derive(Serialize)]
struct WrittenPlan<'a, T, N> {
    private: Option<&'a T>,
    planned: &'a N,
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned, N: DeserializeOwned")]
struct Read<T, N> {
    #[serde(default = "none")]
    private: Option<T>,
    #[serde(default = "none")]
    planned: Option<N>,
}

fn none<T>() -> Option<T> {
    None
}

/// Private state for the wire; nothing at all where there is none.
pub(crate) fn encode_state<T: Serialize>(private: Option<&T>) -> serde_json::Result<Vec<u8>> {
    match private {
        Some(_) => serde_json::to_vec(&WrittenState { private }),
        None => Ok(Vec::new()),
    }
}

/// Planned private data for the wire.
pub(crate) fn encode_plan<T: Serialize, N: Serialize>(private: Option<&T>, planned: &N) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&WrittenPlan { private, planned })
}

/// Private state and planned note, each where it is there.
pub(crate) fn decode<T: DeserializeOwned, N: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<(Option<T>, Option<N>)> {
    if bytes.is_empty() {
        return Ok((None, None));
    }
    let Read { private, planned } = serde_json::from_slice(bytes)?;
    Ok((private, planned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apply_finds_both_parts_and_a_read_only_the_first() {
        let planned = encode_plan(Some(&7u8), &"note").unwrap();
        assert_eq!(decode::<u8, String>(&planned).unwrap(), (Some(7), Some("note".to_owned())));
        let state = encode_state(Some(&7u8)).unwrap();
        assert_eq!(decode::<u8, String>(&state).unwrap(), (Some(7), None));
        assert_eq!(decode::<u8, String>(&[]).unwrap(), (None, None));
    }
}
