//! What a script in Rust finds as the module `jalm`: JSON, and how its result is given back. Only
//! the standard library is there.
#![allow(dead_code)]

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Display, Write as _};
use std::io::{Read, Write};
use std::os::fd::FromRawFd;

/// A value of a variable, or a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Json>),
    Map(BTreeMap<String, Json>),
}

static NULL: Json = Json::Null;

impl Json {
    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "true or false",
            Json::Int(_) => "a whole number",
            Json::Float(_) => "a number",
            Json::Text(_) => "text",
            Json::List(_) => "a list",
            Json::Map(_) => "an object",
        }
    }

    /// The value of a name; null if there is none.
    pub fn get(&self, name: &str) -> &Json {
        match self {
            Json::Map(map) => map.get(name).unwrap_or(&NULL),
            _ => &NULL,
        }
    }

    #[track_caller]
    pub fn int(&self) -> i64 {
        self.to()
    }

    #[track_caller]
    pub fn float(&self) -> f64 {
        self.to()
    }

    #[track_caller]
    pub fn bool(&self) -> bool {
        self.to()
    }

    #[track_caller]
    pub fn text(&self) -> &str {
        match self {
            Json::Text(text) => text,
            other => panic!("a value is {}, not text", other.kind()),
        }
    }

    #[track_caller]
    pub fn list(&self) -> &[Json] {
        match self {
            Json::List(list) => list,
            other => panic!("a value is {}, not a list", other.kind()),
        }
    }

    /// The value as any type that a parameter of `run` may have.
    #[track_caller]
    pub fn to<T: FromJson>(&self) -> T {
        match T::from_json(self) {
            Ok(value) => value,
            Err(why) => panic!("a value {why}"),
        }
    }
}

impl std::ops::Index<&str> for Json {
    type Output = Json;
    fn index(&self, name: &str) -> &Json {
        self.get(name)
    }
}

impl std::ops::Index<usize> for Json {
    type Output = Json;
    fn index(&self, at: usize) -> &Json {
        match self {
            Json::List(list) => list.get(at).unwrap_or(&NULL),
            _ => &NULL,
        }
    }
}

impl Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(value) => write!(f, "{value}"),
            Json::Int(value) => write!(f, "{value}"),
            Json::Float(value) if !value.is_finite() => f.write_str("null"),
            Json::Float(value) => write!(f, "{value:?}"),
            Json::Text(text) => quote(text, f),
            Json::List(list) => {
                f.write_char('[')?;
                for (at, item) in list.iter().enumerate() {
                    if at > 0 {
                        f.write_char(',')?;
                    }
                    write!(f, "{item}")?;
                }
                f.write_char(']')
            }
            Json::Map(map) => {
                f.write_char('{')?;
                for (at, (name, item)) in map.iter().enumerate() {
                    if at > 0 {
                        f.write_char(',')?;
                    }
                    quote(name, f)?;
                    write!(f, ":{item}")?;
                }
                f.write_char('}')
            }
        }
    }
}

fn quote(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

/// Reads JSON that the runner wrote.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> u8 {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn value(&mut self) -> Option<Json> {
        Some(match self.next() {
            b'{' => {
                let mut map = BTreeMap::new();
                self.at += 1;
                while self.next() != b'}' {
                    let name = self.string()?;
                    if self.next() != b':' {
                        return None;
                    }
                    self.at += 1;
                    let value = self.value()?;
                    map.insert(name, value);
                    if self.next() == b',' {
                        self.at += 1;
                    }
                }
                self.at += 1;
                Json::Map(map)
            }
            b'[' => {
                let mut list = Vec::new();
                self.at += 1;
                while self.next() != b']' {
                    list.push(self.value()?);
                    if self.next() == b',' {
                        self.at += 1;
                    }
                }
                self.at += 1;
                Json::List(list)
            }
            b'"' => Json::Text(self.string()?),
            _ => {
                let begin = self.at;
                while let Some(b'0'..=b'9' | b'a'..=b'z' | b'E' | b'+' | b'-' | b'.') =
                    self.text.get(self.at)
                {
                    self.at += 1;
                }
                match std::str::from_utf8(&self.text[begin..self.at]).ok()? {
                    "null" => Json::Null,
                    "true" => Json::Bool(true),
                    "false" => Json::Bool(false),
                    number => match number.parse() {
                        Ok(number) => Json::Int(number),
                        Err(_) => Json::Float(number.parse().ok()?),
                    },
                }
            }
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = std::str::from_utf8(self.text.get(self.at..self.at + 4)?).ok()?;
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }

    fn string(&mut self) -> Option<String> {
        if self.next() != b'"' {
            return None;
        }
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            let byte = *self.text.get(self.at)?;
            self.at += 1;
            if byte == b'"' {
                return String::from_utf8(bytes).ok();
            }
            if byte != b'\\' {
                bytes.push(byte);
                continue;
            }
            let escaped = *self.text.get(self.at)?;
            self.at += 1;
            let c = match escaped {
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                b'u' => {
                    let mut code = self.hex()?;
                    if (0xd800..0xdc00).contains(&code) && self.text[self.at..].starts_with(b"\\u") {
                        self.at += 2;
                        code = 0x10000 + ((code - 0xd800) << 10) + (self.hex()?.wrapping_sub(0xdc00) & 0x3ff);
                    }
                    char::from_u32(code).unwrap_or('\u{fffd}')
                }
                other => char::from(other),
            };
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

/// What a parameter of `run` may be.
pub trait FromJson: Sized {
    fn from_json(value: &Json) -> Result<Self, String>;
}

fn not<T>(value: &Json, wanted: &str) -> Result<T, String> {
    Err(format!("is {}, not {wanted}", value.kind()))
}

macro_rules! whole {
    ($($kind:ty)*) => {$(
        impl FromJson for $kind {
            fn from_json(value: &Json) -> Result<Self, String> {
                match value {
                    Json::Int(number) => Self::try_from(*number)
                        .map_err(|_| format!("is {number}, which is no {}", stringify!($kind))),
                    Json::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                        Self::from_json(&Json::Int(*number as i64))
                    }
                    other => not(other, "a whole number"),
                }
            }
        }
        impl Answer for $kind {
            fn answer(self) -> Result<Json, String> {
                match i64::try_from(self) {
                    Ok(number) => Ok(Json::Int(number)),
                    Err(_) => Ok(Json::Float(self as f64)),
                }
            }
        }
    )*};
}
whole!(i8 i16 i32 i64 u8 u16 u32 u64 isize usize i128 u128);

macro_rules! broken {
    ($($kind:ty)*) => {$(
        impl FromJson for $kind {
            fn from_json(value: &Json) -> Result<Self, String> {
                match value {
                    Json::Int(number) => Ok(*number as $kind),
                    Json::Float(number) => Ok(*number as $kind),
                    other => not(other, "a number"),
                }
            }
        }
        impl Answer for $kind {
            fn answer(self) -> Result<Json, String> {
                Ok(Json::Float(f64::from(self)))
            }
        }
    )*};
}
broken!(f32 f64);

impl FromJson for bool {
    fn from_json(value: &Json) -> Result<Self, String> {
        match value {
            Json::Bool(value) => Ok(*value),
            other => not(other, "true or false"),
        }
    }
}

impl FromJson for String {
    fn from_json(value: &Json) -> Result<Self, String> {
        match value {
            Json::Text(text) => Ok(text.clone()),
            other => not(other, "text"),
        }
    }
}

impl FromJson for Json {
    fn from_json(value: &Json) -> Result<Self, String> {
        Ok(value.clone())
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: &Json) -> Result<Self, String> {
        if *value == Json::Null { Ok(None) } else { T::from_json(value).map(Some) }
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: &Json) -> Result<Self, String> {
        match value {
            Json::List(list) => list.iter().map(T::from_json).collect(),
            other => not(other, "a list"),
        }
    }
}

fn entries<T: FromJson, M: FromIterator<(String, T)>>(value: &Json) -> Result<M, String> {
    match value {
        Json::Map(map) => {
            map.iter().map(|(name, value)| Ok((name.clone(), T::from_json(value)?))).collect()
        }
        other => not(other, "an object"),
    }
}

impl<T: FromJson> FromJson for BTreeMap<String, T> {
    fn from_json(value: &Json) -> Result<Self, String> {
        entries(value)
    }
}

impl<T: FromJson> FromJson for HashMap<String, T> {
    fn from_json(value: &Json) -> Result<Self, String> {
        entries(value)
    }
}

/// What a script may give back.
pub trait Answer {
    fn answer(self) -> Result<Json, String>;
}

impl Answer for Json {
    fn answer(self) -> Result<Json, String> {
        Ok(self)
    }
}

impl Answer for &Json {
    fn answer(self) -> Result<Json, String> {
        Ok(self.clone())
    }
}

impl Answer for () {
    fn answer(self) -> Result<Json, String> {
        Ok(Json::Null)
    }
}

impl Answer for bool {
    fn answer(self) -> Result<Json, String> {
        Ok(Json::Bool(self))
    }
}

impl Answer for String {
    fn answer(self) -> Result<Json, String> {
        Ok(Json::Text(self))
    }
}

impl Answer for &str {
    fn answer(self) -> Result<Json, String> {
        Ok(Json::Text(self.to_owned()))
    }
}

impl Answer for char {
    fn answer(self) -> Result<Json, String> {
        Ok(Json::Text(self.to_string()))
    }
}

impl<T: Answer> Answer for Option<T> {
    fn answer(self) -> Result<Json, String> {
        self.map_or(Ok(Json::Null), Answer::answer)
    }
}

impl<T: Answer, E: Display> Answer for Result<T, E> {
    fn answer(self) -> Result<Json, String> {
        self.map_err(|error| error.to_string()).and_then(Answer::answer)
    }
}

impl<T: Answer> Answer for Vec<T> {
    fn answer(self) -> Result<Json, String> {
        self.into_iter().map(Answer::answer).collect::<Result<_, _>>().map(Json::List)
    }
}

impl<T: Answer, const N: usize> Answer for [T; N] {
    fn answer(self) -> Result<Json, String> {
        self.into_iter().map(Answer::answer).collect::<Result<_, _>>().map(Json::List)
    }
}

impl<K: Display, T: Answer> Answer for BTreeMap<K, T> {
    fn answer(self) -> Result<Json, String> {
        let entries = self.into_iter().map(|(name, value)| Ok((name.to_string(), value.answer()?)));
        entries.collect::<Result<_, _>>().map(Json::Map)
    }
}

impl<K: Display, T: Answer> Answer for HashMap<K, T> {
    fn answer(self) -> Result<Json, String> {
        let entries = self.into_iter().map(|(name, value)| Ok((name.to_string(), value.answer()?)));
        entries.collect::<Result<_, _>>().map(Json::Map)
    }
}

macro_rules! tuples {
    ($(($($name:ident)+))*) => {$(
        #[allow(non_snake_case)]
        impl<$($name: Answer),+> Answer for ($($name,)+) {
            fn answer(self) -> Result<Json, String> {
                let ($($name,)+) = self;
                Ok(Json::List(vec![$($name.answer()?),+]))
            }
        }
    )*};
}
tuples!((A B) (A B C) (A B C D));

/// The variable of this name. A parameter `vars` that is no variable is all of them.
pub fn argument<T: FromJson>(vars: &Json, name: &str) -> Result<T, String> {
    let there = matches!(vars, Json::Map(map) if map.contains_key(name));
    if there {
        return T::from_json(vars.get(name)).map_err(|why| format!("the variable `{name}` {why}"));
    }
    if name == "vars" {
        // As a value, or else as text.
        return T::from_json(vars).or_else(|_| T::from_json(&Json::Text(vars.to_string())));
    }
    T::from_json(&Json::Null)
        .map_err(|_| format!("`run` has a parameter `{name}`, and there is no such variable"))
}

/// Runs a script, and gives its result back where the runner looks for it.
pub fn finish(script: impl FnOnce(&Json) -> Result<Json, String>) {
    let mut text = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut text);
    let vars = Reader { text: &text, at: 0 }.value().unwrap_or(Json::Null);
    drop(text);
    let answer = match script(&vars) {
        Ok(Json::Null) => String::new(),
        Ok(value) => format!("r{value}"),
        Err(why) => format!("e{why}"),
    };
    let _ = std::io::stdout().flush();
    // SAFETY: the runner opened it, and nobody else uses it.
    let mut result = unsafe { std::fs::File::from_raw_fd(3) };
    let _ = result.write_all(answer.as_bytes());
}
