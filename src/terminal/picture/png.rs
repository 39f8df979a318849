//! Pixels as PNG: eight bits a colour, one compressed piece.

use std::io::Write as _;

use flate2::{Compression, Crc, write::ZlibEncoder};

/// Returns red, green and blue of each pixel, row by row, as PNG.
pub(super) fn encode(width: usize, height: usize, pixels: &[u8]) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::new(6));
    for row in pixels.chunks(width.max(1) * 3) {
        // Writing into memory does not fail. Each row begins with its filter: none.
        packed.write_all(&[0]).and_then(|()| packed.write_all(row)).ok();
    }
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX).to_be_bytes();
    let mut header = Vec::with_capacity(13);
    header.extend_from_slice(&number(width));
    header.extend_from_slice(&number(height));
    // Eight bits, true colour, the only methods there are, not interlaced.
    header.extend_from_slice(&[8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut png, *b"IHDR", &header);
    chunk(&mut png, *b"IDAT", &packed.finish().unwrap_or_default());
    chunk(&mut png, *b"IEND", &[]);
    png
}

fn chunk(png: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    let mut sum = Crc::new();
    sum.update(&name);
    sum.update(data);
    png.extend_from_slice(&u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    png.extend_from_slice(&name);
    png.extend_from_slice(data);
    png.extend_from_slice(&sum.sum().to_be_bytes());
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Read as _;

    use flate2::read::ZlibDecoder;

    use super::*;

    /// Returns the pixels of a PNG of ours.
    pub(in crate::terminal::picture) fn decode(png: &[u8]) -> Vec<u8> {
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
        let (width, length) = (number(16), number(33));
        assert_eq!(&png[37..41], b"IDAT");
        let mut raw = Vec::new();
        ZlibDecoder::new(&png[41..41 + length]).read_to_end(&mut raw).unwrap();
        raw.chunks(width * 3 + 1).flat_map(|row| row[1..].to_vec()).collect()
    }

    #[test]
    fn what_goes_in_comes_out() {
        let pixels: Vec<u8> = (0..2 * 3 * 3).collect();
        assert_eq!(decode(&encode(2, 3, &pixels)), pixels);
        // The checksum of an empty last chunk is known to everybody.
        assert!(encode(1, 1, &[1, 2, 3]).ends_with(b"IEND\xae\x42\x60\x82"));
    }
}
