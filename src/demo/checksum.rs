//! CRC-32 (the one of zlib and Ethernet) for the lines and byte streams the tests compare.
//!
//! It guards against lost, doubled and mixed bytes, not against anyone who wants to deceive.

/// A CRC-32 over bytes given in pieces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crc32(u32);

impl Crc32 {
    /// Starts with no bytes.
    pub(super) fn new() -> Self {
        Self(u32::MAX)
    }

    /// Adds bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 ^= u32::from(byte);
            for _ in 0..8 {
                let mask = 0_u32.wrapping_sub(self.0 & 1);
                self.0 = (self.0 >> 1) ^ (0xEDB8_8320 & mask);
            }
        }
    }

    /// Returns the checksum of everything added so far.
    pub(super) fn value(self) -> u32 {
        !self.0
    }
}

/// Returns the CRC-32 of `bytes`.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc32::new();
    crc.update(bytes);
    crc.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(crc32(b""), 0);
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b"The quick brown fox jumps over the lazy dog"), 0x414F_A339);
    }

    #[test]
    fn pieces_equal_the_whole() {
        let mut crc = Crc32::new();
        crc.update(b"1234");
        crc.update(b"");
        crc.update(b"56789");
        assert_eq!(crc.value(), crc32(b"123456789"));
    }
}
