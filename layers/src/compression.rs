//! Compression formats. Decompressing stops at a bound, so that a bomb never goes off.

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::{self, ErrorKind, Read, Write};

/// A format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Algorithm {
    /// Zstandard (RFC 8878).
    #[default]
    Zstd,
    /// gzip (RFC 1952).
    Gzip,
    /// Brotli (RFC 7932).
    Brotli,
    /// Deflate without a frame (RFC 1951).
    Deflate,
    /// Deflate in zlib's frame (RFC 1950).
    Zlib,
}

impl Algorithm {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
            Self::Brotli => "brotli",
            Self::Deflate => "deflate",
            Self::Zlib => "zlib",
        }
    }

    /// The lowest level, the usual one and the highest.
    pub(crate) fn levels(self) -> (u32, u32, u32) {
        match self {
            Self::Zstd => (1, 3, 22),
            Self::Gzip | Self::Deflate | Self::Zlib => (0, 6, 9),
            Self::Brotli => (0, 5, 11),
        }
    }
}

/// Why data cannot be decompressed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    TooLarge,
    CutOff,
    Trailing,
    Damaged(String),
}

/// Compresses at a level that the format has.
pub(crate) fn compress(algorithm: Algorithm, level: u32, data: &[u8]) -> io::Result<Vec<u8>> {
    let flate = flate2::Compression::new(level);
    match algorithm {
        Algorithm::Zstd => zstd::bulk::compress(data, i32::try_from(level).unwrap_or(3)),
        Algorithm::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), flate);
            encoder.write_all(data)?;
            encoder.finish()
        }
        Algorithm::Deflate => {
            let mut encoder = DeflateEncoder::new(Vec::new(), flate);
            encoder.write_all(data)?;
            encoder.finish()
        }
        Algorithm::Zlib => {
            let mut encoder = ZlibEncoder::new(Vec::new(), flate);
            encoder.write_all(data)?;
            encoder.finish()
        }
        Algorithm::Brotli => {
            let mut out = Vec::new();
            // The window need not be larger than the data.
            let window = u32::BITS - u32::try_from(data.len()).unwrap_or(u32::MAX).leading_zeros();
            let parameters = brotli::enc::BrotliEncoderParams {
                quality: i32::try_from(level).unwrap_or(5),
                lgwin: i32::try_from(window.clamp(16, 22)).unwrap_or(22),
                ..Default::default()
            };
            brotli::BrotliCompress(&mut io::Cursor::new(data), &mut out, &parameters)?;
            Ok(out)
        }
    }
}

/// The format, where the first bytes tell it.
pub(crate) fn detect(data: &[u8]) -> Option<Algorithm> {
    match data {
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Algorithm::Zstd),
        [0x1f, 0x8b, ..] => Some(Algorithm::Gzip),
        [cmf @ (0x08 | 0x18 | 0x28 | 0x38 | 0x48 | 0x58 | 0x68 | 0x78), flags, ..]
            if (u16::from(*cmf) * 256 + u16::from(*flags)) % 31 == 0 =>
        {
            Some(Algorithm::Zlib)
        }
        _ => None,
    }
}

/// Decompresses all of `data` to at most `most` bytes.
pub(crate) fn decompress(
    algorithm: Algorithm,
    data: &[u8],
    most: usize,
) -> Result<Vec<u8>, Broken> {
    let mut rest = data;
    let mut out = Vec::new();
    match algorithm {
        Algorithm::Gzip => {
            // A file may have several members, one after the other.
            loop {
                let mut decoder = GzDecoder::new(rest);
                bounded(&mut decoder, &mut out, most)?;
                rest = decoder.into_inner();
                if rest.is_empty() {
                    return Ok(out);
                }
                if !rest.starts_with(&[0x1f, 0x8b]) {
                    return Err(Broken::Trailing);
                }
            }
        }
        Algorithm::Deflate => {
            let mut decoder = DeflateDecoder::new(rest);
            bounded(&mut decoder, &mut out, most)?;
            rest = decoder.into_inner();
        }
        Algorithm::Zlib => {
            let mut decoder = ZlibDecoder::new(rest);
            bounded(&mut decoder, &mut out, most)?;
            rest = decoder.into_inner();
        }
        Algorithm::Zstd => {
            /// 2^27, as the tool itself allows: what a frame may ask to be kept in memory.
            const WINDOW: u32 = 27;
            if rest.is_empty() {
                return Err(Broken::CutOff);
            }
            let mut decoder =
                zstd::stream::read::Decoder::with_buffer(rest).map_err(|error| damaged(&error))?;
            decoder.window_log_max(WINDOW).map_err(|error| damaged(&error))?;
            bounded(&mut decoder, &mut out, most)?;
            rest = decoder.finish();
        }
        Algorithm::Brotli => {
            let used = unbrotli(rest, &mut out, most)?;
            rest = &rest[used..];
        }
    }
    if rest.is_empty() { Ok(out) } else { Err(Broken::Trailing) }
}

/// By the decoder itself, since its reader can tell neither a cut end nor what follows. Gives how
/// much of `data` it took.
fn unbrotli(data: &[u8], out: &mut Vec<u8>, most: usize) -> Result<usize, Broken> {
    let alloc = StandardAlloc::default;
    let mut state = BrotliState::new(alloc(), alloc(), alloc());
    // Windows of 1 GiB are an extension that nobody sends, but bombs.
    state.large_window = false;
    let (mut left, mut at, mut total) = (data.len(), 0, 0);
    let mut piece = vec![0; 64 * 1024];
    loop {
        let (mut room, mut written) = (piece.len(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut at,
            data,
            &mut room,
            &mut written,
            &mut piece,
            &mut total,
            &mut state,
        );
        out.extend_from_slice(&piece[..written]);
        if out.len() > most {
            return Err(Broken::TooLarge);
        }
        match result {
            BrotliResult::ResultSuccess => return Ok(at),
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::NeedsMoreInput => return Err(Broken::CutOff),
            BrotliResult::ResultFailure => {
                return Err(Broken::Damaged("its bits make no sense".to_owned()));
            }
        }
    }
}

fn bounded(decoder: &mut impl Read, out: &mut Vec<u8>, most: usize) -> Result<(), Broken> {
    let room = (most - out.len()) as u64 + 1;
    decoder.take(room).read_to_end(out).map_err(|error| damaged(&error))?;
    if out.len() > most { Err(Broken::TooLarge) } else { Ok(()) }
}

fn damaged(error: &io::Error) -> Broken {
    if error.kind() == ErrorKind::UnexpectedEof || error.to_string().contains("incomplete frame") {
        Broken::CutOff
    } else {
        Broken::Damaged(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Algorithm; 5] =
        [Algorithm::Zstd, Algorithm::Gzip, Algorithm::Brotli, Algorithm::Deflate, Algorithm::Zlib];

    #[test]
    fn what_was_compressed_comes_back_at_every_level() {
        let long: Vec<u8> = (0..50_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        for algorithm in ALL {
            let (lowest, usual, highest) = algorithm.levels();
            for data in [&b""[..], b"a", b"hello hello hello hello", &long] {
                for level in [lowest, usual, highest] {
                    let compressed = compress(algorithm, level, data).unwrap();
                    assert_eq!(
                        decompress(algorithm, &compressed, data.len()).unwrap(),
                        data,
                        "{algorithm:?} {level}"
                    );
                    if matches!(algorithm, Algorithm::Zstd | Algorithm::Gzip | Algorithm::Zlib) {
                        assert_eq!(detect(&compressed), Some(algorithm));
                    }
                }
            }
        }
    }

    #[test]
    fn bombs_cut_off_and_trailing_bytes_are_refused() {
        let zeros = vec![0; 10_000_000];
        for algorithm in ALL {
            let compressed = compress(algorithm, algorithm.levels().1, &zeros).unwrap();
            assert!(compressed.len() < 50_000, "{algorithm:?}");
            assert_eq!(
                decompress(algorithm, &compressed, 1_000_000),
                Err(Broken::TooLarge),
                "{algorithm:?}"
            );
            let cut = &compressed[..compressed.len() - 3];
            let result = decompress(algorithm, cut, 20_000_000);
            assert_eq!(result, Err(Broken::CutOff), "{algorithm:?}");
            let longer = [&compressed[..], b"more bytes that do not belong"].concat();
            let result = decompress(algorithm, &longer, 20_000_000).unwrap_err();
            assert!(
                matches!(result, Broken::Trailing | Broken::Damaged(_)),
                "{algorithm:?}: {result:?}"
            );
            assert!(decompress(algorithm, b"", 10).is_err(), "{algorithm:?}");
        }
    }

    #[test]
    fn several_members_are_one() {
        let two = [
            compress(Algorithm::Gzip, 6, b"one ").unwrap(),
            compress(Algorithm::Gzip, 6, b"two").unwrap(),
        ]
        .concat();
        assert_eq!(decompress(Algorithm::Gzip, &two, 100).unwrap(), b"one two");
        let two = [
            compress(Algorithm::Zstd, 3, b"one ").unwrap(),
            compress(Algorithm::Zstd, 3, b"two").unwrap(),
        ]
        .concat();
        assert_eq!(decompress(Algorithm::Zstd, &two, 100).unwrap(), b"one two");
    }
}
