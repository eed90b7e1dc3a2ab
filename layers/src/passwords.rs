//! Hashes of passwords: PHC strings of Argon2, scrypt and PBKDF2, and bcrypt's own form.
//!
//! A hash names its own costs, so that one by a stranger could ask for any time and memory:
//! beyond the bounds here it is refused unread.

use crate::input::bad;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{CustomizedPasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use jalm_kernel::failure::Failure;
use pbkdf2::Pbkdf2;
use ring::rand::{SecureRandom, SystemRandom};
use scrypt::Scrypt;

/// KiB.
const MOST_MEMORY: u64 = 256 * 1024;
const MOST_PASSES: u64 = 32;
const MOST_LANES: u64 = 16;
const MOST_ITERATIONS: u64 = 10_000_000;
const MOST_BCRYPT: u32 = 16;

/// Whether the hash is of this password. Takes its time: not for the event loop.
pub(crate) fn verify(atom: &str, path: &str, password: &str, hash: &str) -> Result<bool, Failure> {
    let wrong = |what: &str, hint: &str| bad(atom, path, what.to_owned()).hint(hint);
    let kinds = "give a hash as `auth_token` with `hash_password` makes it: a PHC string of argon2id, scrypt or pbkdf2, or one of bcrypt";
    let costly = || {
        wrong(
            "the hash asks for more time or memory than is allowed",
            "hash the password anew with usual costs",
        )
    };
    let hash = hash.trim();
    if ["$2a$", "$2b$", "$2y$", "$2x$"].iter().any(|prefix| hash.starts_with(prefix)) {
        let cost = hash.get(4..6).and_then(|cost| cost.parse::<u32>().ok());
        if cost.is_none_or(|cost| cost > MOST_BCRYPT) {
            return Err(costly());
        }
        return bcrypt::verify(password, hash)
            .map_err(|_| wrong("it is not a hash of bcrypt", kinds));
    }
    let parsed =
        PasswordHash::new(hash).map_err(|_| wrong("it is not a hash of a password", kinds))?;
    if parsed.hash.is_none() || parsed.salt.is_none() {
        return Err(wrong("it is cut off: a PHC string has a salt and a hash", kinds));
    }
    let cost =
        |name: &str, otherwise: u64| parsed.params.get_decimal(name).map_or(otherwise, u64::from);
    let algorithm = parsed.algorithm.as_str();
    let matches = match algorithm {
        "argon2id" | "argon2i" | "argon2d" => {
            if cost("m", 0) > MOST_MEMORY || cost("t", 0) > MOST_PASSES || cost("p", 0) > MOST_LANES
            {
                return Err(costly());
            }
            Argon2::default().verify_password(password.as_bytes(), &parsed)
        }
        "scrypt" => {
            let (log, blocks) = (cost("ln", 64), cost("r", 0));
            if log > 24
                || (blocks.saturating_mul(128) << log) / 1024 > MOST_MEMORY
                || cost("p", 0) > MOST_LANES
            {
                return Err(costly());
            }
            Scrypt::default().verify_password(password.as_bytes(), &parsed)
        }
        "pbkdf2-sha256" | "pbkdf2-sha512" => {
            if cost("i", u64::MAX) > MOST_ITERATIONS {
                return Err(costly());
            }
            Pbkdf2::default().verify_password(password.as_bytes(), &parsed)
        }
        _ => return Err(wrong("it is a hash of a kind that is not supported", kinds)),
    };
    match matches {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(_) => Err(wrong(
            "the hash cannot be used: its costs or its form are not those of its kind",
            kinds,
        )),
    }
}

/// An Argon2id hash of the password. Takes its time: not for the event loop.
pub(crate) fn hash(
    password: &str,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
) -> Result<String, Failure> {
    let parameters = Params::new(memory_kib, passes, lanes, None).map_err(Failure::bug)?;
    let mut salt = [0; 16];
    SystemRandom::new().fill(&mut salt).map_err(Failure::bug)?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters.clone());
    let hash: PasswordHash = argon
        .hash_password_with_params(password.as_bytes(), &salt, parameters)
        .map_err(Failure::bug)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_others_are_checked() {
        // By argon2-cffi, passlib, hashlib and bcrypt; the password is `correct horse`.
        for hash in HASHES {
            assert!(verify("auth_verify", "hash", "correct horse", hash).unwrap(), "{hash}");
            assert!(!verify("auth_verify", "hash", "wrong horse", hash).unwrap(), "{hash}");
        }
    }

    #[test]
    fn a_new_hash_is_checked_and_differs_each_time() {
        let (one, two) = (hash("pass", 64, 1, 1).unwrap(), hash("pass", 64, 1, 1).unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=64,t=1,p=1$") && one != two, "{one}");
        assert!(verify("auth_verify", "hash", "pass", &one).unwrap());
    }

    #[test]
    fn hashes_that_cost_too_much_or_are_none_are_refused() {
        for (text, part) in [
            ("", "not a hash"),
            ("plain", "not a hash"),
            ("$argon2id$v=19$m=64,t=1,p=1", "cut off"),
            (
                "$argon2id$v=19$m=99999999,t=1,p=1$c2FsdHNhbHRzYWx0$c2FsdHNhbHRzYWx0c2FsdHNhbHQ",
                "more time or memory",
            ),
            (
                "$argon2id$v=19$m=64,t=99999,p=1$c2FsdHNhbHRzYWx0$c2FsdHNhbHRzYWx0c2FsdHNhbHQ",
                "more time or memory",
            ),
            (
                "$scrypt$ln=30,r=8,p=1$c2FsdHNhbHRzYWx0$c2FsdHNhbHRzYWx0c2FsdHNhbHQ",
                "more time or memory",
            ),
            (
                "$pbkdf2-sha256$i=999999999$c2FsdHNhbHRzYWx0$c2FsdHNhbHRzYWx0c2FsdHNhbHQ",
                "more time or memory",
            ),
            (
                "$2b$31$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuabcdefghijklmn",
                "more time or memory",
            ),
            ("$2b$10$short", "not a hash of bcrypt"),
            ("$md5$c2FsdHNhbHRzYWx0$c2FsdHNhbHRzYWx0c2FsdHNhbHQ", "not supported"),
        ] {
            let failure = verify("auth_verify", "hash", "x", text).unwrap_err();
            assert!(failure.message.contains(part), "{text}: {failure:?}");
        }
    }

    const HASHES: [&str; 4] = [
        "$argon2id$v=19$m=1024,t=2,p=2$KBXEL6Qf+R/fKjUU4wqgqg$YpdoykoyUz16P85vpwr3FuhyQ8456wxYyF41XRHzBlk",
        "$scrypt$ln=10,r=8,p=1$ABAhJsHu21TQzVsArY+CWw$qeAknHYtV9KR/T98Ha7yG/XcqMlhq4aJ9WBwGkr4P1I",
        "$pbkdf2-sha256$i=1000,l=32$ABAhJsHu21TQzVsArY+CWw$docaffmlO99JTnJEkrjWcx+DxA1lkwNcTIqgi21Rj5M",
        "$2b$04$W5SmnWv3LTF8R.RQFnjM1..48Lcsff9KkAMWNp3mcIK61r2HhdOCW",
    ];
}
