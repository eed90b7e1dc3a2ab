use super::*;
use crate::compression::{Algorithm, decompress};
use sha2::Digest;

/// A vector of the published kit: facts, an empty line, the file.
struct Vector {
    facts: Vec<(String, String)>,
    file: Vec<u8>,
}

impl Vector {
    fn read(name: &str) -> Self {
        let path = format!("{}/tests/data/age-testkit/{name}", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).unwrap();
        let cut = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap();
        let mut file = bytes[cut + 2..].to_vec();
        let facts = std::str::from_utf8(&bytes[..cut]).unwrap().lines();
        let facts = facts
            .map(|line| line.split_once(": ").unwrap())
            .map(|(a, b)| (a.to_owned(), b.to_owned()));
        let facts: Vec<_> = facts.collect();
        if facts.contains(&("compressed".to_owned(), "zlib".to_owned())) {
            file = decompress(Algorithm::Zlib, &file, 64 << 20).unwrap();
        }
        Self { facts, file }
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.facts.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    fn outcome(&self) -> String {
        let mut keys = Keys { most_work: 22, ..Keys::default() };
        keys.identities =
            self.all("identity").into_iter().map(|text| Identity::parse(text).unwrap()).collect();
        keys.passphrase = self.all("passphrase").first().map(|text| (*text).to_owned());
        match decrypt(&self.file, &keys) {
            Ok(data) => {
                let digest = crate::files::hex(&Sha256::digest(data));
                if self.all("payload") == [digest.as_str()] {
                    "success".to_owned()
                } else {
                    "other content".to_owned()
                }
            }
            Err(Broken::Malformed("its text form is damaged")) => "armor failure".to_owned(),
            // One that does not even begin is not taken for the text form.
            Err(Broken::Malformed("it does not begin as an age file does"))
                if self.all("armored") == ["yes"]
                    && !self.file.trim_ascii_start().starts_with(b"-----BEGIN") =>
            {
                "armor failure".to_owned()
            }
            Err(Broken::Malformed(_) | Broken::TooCostly(_)) => "header failure".to_owned(),
            Err(Broken::NoMatch | Broken::OtherKind { .. }) => "no match".to_owned(),
            Err(Broken::Changed) => "changed".to_owned(),
        }
    }
}

/// Every vector of the kit that C2SP publishes (CCTV, age).
#[test]
fn the_published_vectors_end_as_they_say() {
    let folder = format!("{}/tests/data/age-testkit", env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut wrong = Vec::new();
    for name in &names {
        let vector = Vector::read(name);
        let expected = match vector.all("expect")[0] {
            // Both are said in one word here.
            "HMAC failure" | "payload failure" => "changed",
            other => other,
        };
        let outcome = vector.outcome();
        if outcome != expected {
            wrong.push(format!("{name}: {outcome} instead of {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(names.len(), 123);
}

#[test]
fn what_was_encrypted_comes_back() {
    let identity = Identity::parse(
        "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0",
    )
    .unwrap();
    let keys = Keys { identities: vec![identity.clone()], passphrase: None, most_work: 10 };
    for length in [0, 1, 65_535, 65_536, 65_537, 200_000] {
        let data: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let file = encrypt(&data, &To::Recipients(vec![identity.recipient()])).unwrap();
        assert_eq!(decrypt(&file, &keys).unwrap(), data, "{length}");
        assert_eq!(decrypt(armored(&file).as_bytes(), &keys).unwrap(), data, "{length}");
        let mut changed = file.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(decrypt(&changed, &keys), Err(Broken::Changed));
    }
    let file = encrypt(b"data", &To::Passphrase("open".to_owned(), 4)).unwrap();
    let with = |passphrase: &str, most_work| {
        decrypt(
            &file,
            &Keys { passphrase: Some(passphrase.to_owned()), most_work, ..Keys::default() },
        )
    };
    assert_eq!(with("open", 10).unwrap(), b"data");
    assert_eq!(with("shut", 10), Err(Broken::NoMatch));
    assert_eq!(with("open", 3), Err(Broken::TooCostly(4)));
    assert_eq!(decrypt(&file, &keys), Err(Broken::OtherKind { passphrase: true }));
}

#[test]
fn keys_are_read_strictly() {
    let good = "age1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4q47ryef";
    assert!(Recipient::parse(good).is_some());
    for bad in [
        "",
        "age1",
        "age1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4q47ryeq",
        &good[..40],
        "ssh-ed25519 AAAA",
        "Age1zvk",
    ] {
        assert!(Recipient::parse(bad).is_none(), "{bad}");
    }
    assert!(Identity::parse(good).is_none());
}
