//! By a password.

use super::{AuthVerify, Basic, Found, Outcome, Password, refuse};
use crate::atom::Atom;
use crate::blocking;
use crate::content::decode;
use crate::passwords;
use crate::sealing::STRETCHING;
use jalm_kernel::failure::Failure;

const ATOM: &str = AuthVerify::CARD.name;
/// Longer ones are no passwords, and hashing them is work.
const LONGEST: usize = 4096;

/// Of a password that nobody has: a name that is not known takes as long as one that is.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$+uuHR9w8pZJM3fEQPQx04g$VPpQuXwbx8RUaGqMrM+qCs4OiqJo7PciZxHsCgwZMIg";

pub(super) async fn verify(input: Password) -> Outcome {
    let Password { password, hash } = input;
    let matches = matches(password, hash, "password.hash".to_owned()).await?;
    Ok(if matches {
        Ok(Found::default())
    } else {
        Err(refuse("password_wrong", "the password is wrong"))
    })
}

pub(super) async fn verify_basic(input: Basic) -> Outcome {
    let Basic { header, users } = input;
    let malformed =
        || Ok(Err(refuse("header_malformed", "it is not a header of HTTP basic authentication")));
    let Some((scheme, encoded)) = header.trim().split_once(' ') else { return malformed() };
    if !scheme.eq_ignore_ascii_case("basic") {
        return malformed();
    }
    let Ok(Ok(pair)) = decode(ATOM, "basic.header", encoded).map(String::from_utf8) else {
        return malformed();
    };
    let Some((name, password)) = pair.split_once(':') else { return malformed() };
    let (hash, path) = match users.get(name) {
        Some(hash) => (hash.clone(), format!("basic.users.{name}")),
        None => (NOBODY.to_owned(), String::new()),
    };
    let right = matches(password.to_owned(), hash, path).await? && users.contains_key(name);
    Ok(if right {
        Ok(Found { subject: Some(name.to_owned()), claims: None })
    } else {
        Err(refuse("password_wrong", "the name or the password is wrong"))
    })
}

async fn matches(password: String, hash: String, path: String) -> Result<bool, Failure> {
    if password.len() > LONGEST {
        return Ok(false);
    }
    let permit = STRETCHING.acquire().await.map_err(Failure::bug)?;
    blocking::run(move |_| {
        // Held by the work itself, which goes on when the call is aborted.
        let _permit = permit;
        passwords::verify(ATOM, &path, &password, &hash)
    })
    .await
}
