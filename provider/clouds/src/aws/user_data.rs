//! What a machine boots from, in EC2's encoding: gzip, which Talos unpacks, then base64.

use std::io::{Read, Write};

use aws_sdk_ec2::types::InstanceAttributeName;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use zeroize::Zeroizing;

use super::Aws;
use super::call::Api;
use crate::{Error, Result, UserDataTooLarge};

/// EC2's limit, before base64 (EC2 user guide, "User data").
const LIMIT: usize = 16 * 1024;
/// No config of ours is larger; what unpacks to more is not one.
const LARGEST: u64 = 4 * 1024 * 1024;
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Gzips; the same bytes give the same bytes (no time stamp), so that a client token may be used again.
pub(super) fn encode(plain: &[u8]) -> std::result::Result<Zeroizing<Vec<u8>>, UserDataTooLarge> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    // Writing into memory does not fail.
    let packed = encoder.write_all(plain).and_then(|()| encoder.finish()).map(Zeroizing::new);
    match packed {
        Ok(packed) if packed.len() <= LIMIT => Ok(packed),
        Ok(packed) => Err(UserDataTooLarge { size: packed.len(), limit: LIMIT }),
        Err(_) => Err(UserDataTooLarge { size: plain.len(), limit: LIMIT }),
    }
}

/// The form in which `RunInstances` takes it.
pub(super) fn base64(packed: &[u8]) -> String {
    STANDARD.encode(packed)
}

fn decode(machine: &str, text: &str) -> Result<Zeroizing<Vec<u8>>> {
    let broken = |message: String| Error::Api {
        operation: "ec2:DescribeInstanceAttribute",
        object: format!("the user data of `{machine}`"),
        code: String::new(),
        message,
    };
    let raw = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|error| broken(error.to_string()))?);
    if !raw.starts_with(GZIP) {
        return Ok(raw);
    }
    let mut plain = Zeroizing::new(Vec::with_capacity(raw.len() * 8));
    GzDecoder::new(raw.as_slice())
        .take(LARGEST)
        .read_to_end(&mut plain)
        .map_err(|error| broken(format!("it does not unpack: {error}")))?;
    Ok(plain)
}

/// What the machine booted from, plain.
pub(super) async fn read(aws: &Aws, machine: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let client = &aws.clients().ec2;
    let answer = aws
        .call(Api::Ec2, "ec2:DescribeInstanceAttribute", format!("the user data of `{machine}`"))
        .send(|| {
            let request = client.describe_instance_attribute().instance_id(machine);
            request.attribute(InstanceAttributeName::UserData).send()
        })
        .await?;
    match answer.user_data().and_then(|data| data.value()) {
        Some(text) if !text.is_empty() => decode(machine, text).map(Some),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_does_not_fit_is_said_with_its_size() {
        let noise: Vec<u8> =
            (0..40_000u32).flat_map(|n| super::super::naming::digest(&[&n.to_string()], 2).into_bytes()).collect();
        let error = encode(&noise).unwrap_err();
        assert_eq!(error.limit, 16_384);
        assert!(error.size > 16_384);
    }

    #[test]
    fn the_same_config_has_the_same_encoding() {
        assert_eq!(*encode(b"machine: {}").unwrap(), *encode(b"machine: {}").unwrap());
    }

    proptest! {
        #[test]
        fn what_was_put_in_comes_out(plain in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let text = base64(&encode(&plain).unwrap());
            prop_assert_eq!(&*decode("i-1", &text).unwrap(), &plain);
        }
    }
}
