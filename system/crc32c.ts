/**
 * CRC-32C (Castagnoli), as in iSCSI (RFC 3720, B.4), eight bytes a step ("slicing-by-8", Kounavis and Berry 2005).
 */
const polynomial = 0x82f63b78;

/** tables[k * 256 + b]: the effect of byte b when k more bytes follow it within a step of eight. */
const tables = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
  tables[byte] = crc;
}
for (let index = 256; index < tables.length; index++) {
  const previous = tables[index - 256]!;
  tables[index] = (previous >>> 8) ^ tables[previous & 255]!;
}

/**
 * Of the bytes in [from, to).
 * @param previous the checksum of the bytes before these, to go on from; 0 at the start
 * @returns an unsigned 32-bit checksum
 */
export function crc32c(bytes: Uint8Array, previous = 0, from = 0, to = bytes.length): number {
  let crc = ~previous;
  let at = from;
  for (const end = to - 7; at < end; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      tables[1792 + (crc & 255)]! ^
      tables[1536 + ((crc >>> 8) & 255)]! ^
      tables[1280 + ((crc >>> 16) & 255)]! ^
      tables[1024 + (crc >>> 24)]! ^
      tables[768 + bytes[at + 4]!]! ^
      tables[512 + bytes[at + 5]!]! ^
      tables[256 + bytes[at + 6]!]! ^
      tables[bytes[at + 7]!]!;
  }
  for (; at < to; at++) crc = (crc >>> 8) ^ tables[(crc ^ bytes[at]!) & 255]!;
  return ~crc >>> 0;
}
