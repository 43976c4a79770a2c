//! Bytes as hexadecimal digits.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    let pairs = bytes
        .iter()
        .flat_map(|&byte| [digit(byte >> 4), digit(byte)]);
    pairs.collect()
}

fn decode(text: &str) -> Result<Vec<u8>, &'static str> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err("bytes are pairs of hexadecimal digits"),
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err("an odd number of hexadecimal digits");
    }
    pairs
        .iter()
        .map(|&[high, low]| Ok(nibble(high)? << 4 | nibble(low)?))
        .collect()
}

pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&encode(bytes))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    decode(&String::deserialize(from)?).map_err(D::Error::custom)
}

/// The same of bytes that may be missing.
pub(super) mod optional {
    use super::{Deserialize, Deserializer, Serializer, decode, encode};
    use serde::Serialize as _;
    use serde::de::Error as _;

    #[expect(clippy::ref_option, reason = "serde hands over the field")]
    pub(in super::super) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        bytes.as_deref().map(encode).serialize(to)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| decode(&text))
            .transpose()
            .map_err(D::Error::custom)
    }
}
