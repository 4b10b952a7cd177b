//! Files that are false and pass for sound ones: for those who attack the readers of a directory.

use crate::format::{
    CHECKPOINT_MAGIC, HEADER_BYTES, MANIFEST_MAGIC, RECORD_MAGIC, SEGMENT_MAGIC, record_bytes,
};
use crate::superblock::{CONTENT_MAGIC, PRELUDE_BYTES, WATERMARK_BYTES, WATERMARK_MAGIC};

/// Makes right the checksums of one file's `bytes`, and the lengths that they are about, as far as its kind can still be
/// told, so that whoever reads it looks behind them.
pub fn forge_checksums(bytes: &mut [u8]) {
    let begins = |magic: &[u8; 8]| bytes.starts_with(magic);
    if begins(MANIFEST_MAGIC) {
        seal(bytes);
    } else if begins(SEGMENT_MAGIC) {
        forge_segment(bytes);
    } else if begins(CHECKPOINT_MAGIC) {
        forge_checkpoint(bytes);
    } else if begins(WATERMARK_MAGIC) {
        forge_superblock(bytes);
    }
}

/// Writes `words` over the bytes from `at` on, if they are all there.
fn put(bytes: &mut [u8], at: usize, words: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + words.len()) {
        place.copy_from_slice(words);
    }
}

/// Ends `bytes` in the checksum of what stands before it.
fn seal(bytes: &mut [u8]) {
    if let Some((body, checksum)) = bytes.split_last_chunk_mut::<4>() {
        *checksum = crc32fast::hash(body).to_le_bytes();
    }
}

fn seal_header(bytes: &mut [u8]) {
    bytes.get_mut(..HEADER_BYTES).into_iter().for_each(seal);
}

fn forge_segment(bytes: &mut [u8]) {
    put(bytes, 48, &(bytes.len() as u64).to_le_bytes());
    seal_header(bytes);
    let mut rest = bytes.get_mut(HEADER_BYTES..).unwrap_or_default();
    while rest.starts_with(RECORD_MAGIC) && rest.len() >= HEADER_BYTES {
        let length = u32::from_le_bytes([rest[8], rest[9], rest[10], rest[11]]) as usize;
        if let Some(payload) = rest.get(HEADER_BYTES..HEADER_BYTES + length) {
            let checksum = crc32fast::hash(payload);
            put(rest, 12, &checksum.to_le_bytes());
        }
        seal_header(rest);
        let next = record_bytes(length).min(rest.len());
        rest = &mut rest[next..];
    }
}

fn forge_checkpoint(bytes: &mut [u8]) {
    let Some(content) = bytes.get(HEADER_BYTES..) else { return };
    let (length, checksum) = (content.len() as u64, crc32fast::hash(content));
    put(bytes, 40, &length.to_le_bytes());
    put(bytes, 52, &checksum.to_le_bytes());
    seal_header(bytes);
}

fn forge_superblock(bytes: &mut [u8]) {
    let Some((watermark, content)) = bytes.split_at_mut_checked(WATERMARK_BYTES) else { return };
    seal(watermark);
    if !content.starts_with(CONTENT_MAGIC) || content.len() < PRELUDE_BYTES {
        return;
    }
    let version_checksum = crc32fast::hash(&content[..12]);
    put(content, 12, &version_checksum.to_le_bytes());
    let body = &content[PRELUDE_BYTES..];
    let (length, checksum) = (body.len() as u32, crc32fast::hash(body));
    put(content, 16, &length.to_le_bytes());
    put(content, 20, &checksum.to_le_bytes());
}
