//! The header: for whom the file is, and a seal over that.

use super::{Broken, FILE_KEY, hkdf, mac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

const VERSION: &str = "age-encryption.org/v1";
const WIDTH: usize = 64;
/// More is no header.
const LONGEST: usize = 1 << 20;
const WRONG: Broken = Broken::Malformed("its header is damaged");

/// One way to the file's key.
#[derive(Debug, Clone)]
pub(super) struct Stanza {
    pub(super) arguments: Vec<String>,
    pub(super) body: Vec<u8>,
}

impl Stanza {
    pub(super) fn kind(&self) -> &str {
        self.arguments.first().map_or("", String::as_str)
    }
}

pub(super) struct Header<'a> {
    pub(super) stanzas: Vec<Stanza>,
    /// What the seal is over.
    sealed: &'a [u8],
    seal: Vec<u8>,
}

impl<'a> Header<'a> {
    /// The header and what follows it.
    pub(super) fn parse(file: &'a [u8]) -> Result<(Self, &'a [u8]), Broken> {
        let mut at = 0;
        let version = line(file, &mut at)?;
        if version != VERSION {
            let other = version.starts_with("age-encryption.org/");
            return Err(Broken::Malformed(if other {
                "it is of another version of age"
            } else {
                "it does not begin as an age file does"
            }));
        }
        let mut stanzas = Vec::new();
        loop {
            let start = at;
            let text = line(file, &mut at)?;
            if let Some(seal) = text.strip_prefix("--- ") {
                if stanzas.is_empty() {
                    return Err(WRONG);
                }
                let seal = STANDARD_NO_PAD
                    .decode(seal)
                    .ok()
                    .filter(|seal| seal.len() == 32)
                    .ok_or(WRONG)?;
                let sealed = &file[..start + 3];
                return Ok((Self { stanzas, sealed, seal }, &file[at..]));
            }
            let arguments: Vec<String> =
                text.strip_prefix("-> ").ok_or(WRONG)?.split(' ').map(str::to_owned).collect();
            let visible = |argument: &String| {
                !argument.is_empty() && argument.bytes().all(|byte| byte.is_ascii_graphic())
            };
            if !arguments.iter().all(visible) {
                return Err(WRONG);
            }
            let mut body = Vec::new();
            loop {
                let text = line(file, &mut at)?;
                if text.len() > WIDTH {
                    return Err(WRONG);
                }
                body.extend(STANDARD_NO_PAD.decode(text).map_err(|_| WRONG)?);
                if text.len() < WIDTH {
                    break;
                }
            }
            stanzas.push(Stanza { arguments, body });
        }
    }

    /// Whether nobody has changed it.
    pub(super) fn check(&self, file_key: &[u8; FILE_KEY]) -> Result<(), Broken> {
        let seal = seal(file_key, self.sealed);
        // In constant time, as far as the compiler lets us.
        let differs = seal.iter().zip(&self.seal).fold(0, |sum, (a, b)| sum | (a ^ b));
        if differs == 0 { Ok(()) } else { Err(Broken::Changed) }
    }
}

fn line<'a>(file: &'a [u8], at: &mut usize) -> Result<&'a str, Broken> {
    let rest = &file[(*at).min(file.len())..];
    let end = rest.iter().take(LONGEST).position(|byte| *byte == b'\n').ok_or(if *at == 0 {
        Broken::Malformed("it does not begin as an age file does")
    } else {
        WRONG
    })?;
    *at += end + 1;
    std::str::from_utf8(&rest[..end]).map_err(|_| WRONG)
}

fn seal(file_key: &[u8; FILE_KEY], sealed: &[u8]) -> [u8; 32] {
    mac(&hkdf(file_key, b"", b"header"), &[sealed])
}

pub(super) fn write(stanzas: &[Stanza], file_key: &[u8; FILE_KEY]) -> Vec<u8> {
    let mut text = format!("{VERSION}\n");
    for stanza in stanzas {
        text.push_str("->");
        for argument in &stanza.arguments {
            text.push(' ');
            text.push_str(argument);
        }
        text.push('\n');
        let body = STANDARD_NO_PAD.encode(&stanza.body);
        let mut rest = body.as_str();
        while rest.len() >= WIDTH {
            text.push_str(&rest[..WIDTH]);
            text.push('\n');
            rest = &rest[WIDTH..];
        }
        text.push_str(rest);
        text.push('\n');
    }
    text.push_str("---");
    let seal = STANDARD_NO_PAD.encode(seal(file_key, text.as_bytes()));
    text.push(' ');
    text.push_str(&seal);
    text.push('\n');
    text.into_bytes()
}
