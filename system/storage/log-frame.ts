import { invariant } from '../assert.ts';
import { crc32c } from '../crc32c.ts';
import { getU32, putU32 } from '../entry-codec.ts';

/*
 * A frame is what one write makes durable: a header of 32 bytes, then a payload; the next frame starts at the
 * next multiple of 32, so that a header never straddles two sectors.
 *
 *    0 u16 magic   2 u8 kind   3 u8 mask
 *    4 u32 bytes of payload
 *    8 u32 number of the frame in its segment, from 0
 *   12 u32 how many frames of the segment were known to be durable when this one was written
 *   16 u32 sequence of the segment
 *   20 u32 checksum of the frame before (of the last one of the segment before, for number 0)
 *   24 u32 checksum: CRC-32C of the payload as it is stored, going on from the checksum of the frame before
 *   28 u32 CRC-32C of bytes 0 to 27
 *
 * Torn or corrupt? Segments are filled with zeros ahead, and a disk writes a sector of 512 bytes as a whole or
 * not at all. No frame has a sector that is all zeros: a payload that would is stored masked. So in a frame that
 * was written in full every sector has something in it, and one whose checksum is wrong although every sector
 * does is corrupt; one with an empty sector was torn by a crash, unless a later frame says that it was durable,
 * which makes it corrupt as well. (etcd's decoder looks for zero sectors in the same way, but cannot tell one that
 * was meant; it knows nothing about what had been durable.)
 */
export const FRAME_HEADER_BYTES = 32;
const SECTOR_BYTES = 512;
const MAGIC = 0x5342;

export const FrameKind = { Segment: 1, Batch: 2, Snapshot: 3 } as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

export interface FrameHeader {
  readonly kind: number;
  readonly mask: number;
  readonly payloadBytes: number;
  readonly number: number;
  readonly durable: number;
  readonly sequence: number;
  readonly previous: number;
  readonly checksum: number;
}

/** Where the frame after one that ends here starts. */
export function alignFrame(position: number): number {
  return Math.ceil(position / FRAME_HEADER_BYTES) * FRAME_HEADER_BYTES;
}

/**
 * Completes a frame whose payload lies at `at` + FRAME_HEADER_BYTES in the buffer: masks, sums, writes the header.
 * @param position where in the file the frame will start
 * @returns the frame's checksum
 */
export function sealFrame(
  buffer: Uint8Array,
  at: number,
  position: number,
  header: Omit<FrameHeader, 'mask' | 'checksum'>,
): number {
  const start = at + FRAME_HEADER_BYTES;
  const payload = buffer.subarray(start, start + header.payloadBytes);
  let mask = 0;
  // The header's own sector is never empty, so only the payload after it can hide one.
  while (hasEmptySector(payload, position + FRAME_HEADER_BYTES)) {
    if (mask > 0) applyMask(payload, mask);
    mask++;
    invariant(mask < 256, 'some mask leaves no sector empty', () => ({ bytes: payload.length }));
    applyMask(payload, mask);
  }
  const checksum = crc32c(payload, header.previous);
  buffer[at] = MAGIC & 255;
  buffer[at + 1] = MAGIC >>> 8;
  buffer[at + 2] = header.kind;
  buffer[at + 3] = mask;
  putU32(buffer, at + 4, header.payloadBytes);
  putU32(buffer, at + 8, header.number);
  putU32(buffer, at + 12, header.durable);
  putU32(buffer, at + 16, header.sequence);
  putU32(buffer, at + 20, header.previous);
  putU32(buffer, at + 24, checksum);
  putU32(buffer, at + 28, crc32c(buffer, 0, at, at + 28));
  return checksum;
}

/** Undefined when there is no header of that segment here. */
export function readFrameHeader(bytes: Uint8Array, at: number, sequence: number): FrameHeader | undefined {
  if (at + FRAME_HEADER_BYTES > bytes.length) return undefined;
  if ((bytes[at]! | (bytes[at + 1]! << 8)) !== MAGIC || getU32(bytes, at + 16) !== sequence) return undefined;
  if (crc32c(bytes, 0, at, at + 28) !== getU32(bytes, at + 28)) return undefined;
  return {
    kind: bytes[at + 2]!,
    mask: bytes[at + 3]!,
    payloadBytes: getU32(bytes, at + 4),
    number: getU32(bytes, at + 8),
    durable: getU32(bytes, at + 12),
    sequence,
    previous: getU32(bytes, at + 20),
    checksum: getU32(bytes, at + 24),
  };
}

/** The payload as it was before it was masked; undefined when it is not whole. */
export function readPayload(bytes: Uint8Array, at: number, header: FrameHeader): Uint8Array | undefined {
  const start = at + FRAME_HEADER_BYTES;
  const stored = bytes.subarray(start, start + header.payloadBytes);
  if (stored.length < header.payloadBytes || crc32c(stored, header.previous) !== header.checksum) return undefined;
  if (header.mask === 0) return stored;
  const payload = stored.slice();
  applyMask(payload, header.mask);
  return payload;
}

/**
 * Whether a part of the bytes that lies within one sector holds nothing but zeros. The sector that the bytes
 * start in is passed over: what comes before them in it is not empty.
 * @param position of the first byte in the file
 */
export function hasEmptySector(bytes: Uint8Array, position: number): boolean {
  let at = Math.ceil(position / SECTOR_BYTES) * SECTOR_BYTES - position;
  for (; at < bytes.length; at += SECTOR_BYTES) {
    if (bytes[at] === 0 && isZero(bytes, at, Math.min(bytes.length, at + SECTOR_BYTES))) return true;
  }
  return false;
}

export function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return false;
  return true;
}

/** A stream of noise (xorshift, Marsaglia 2003) over the bytes; twice is never. */
function applyMask(bytes: Uint8Array, mask: number): void {
  let noise = Math.imul(mask, 0x9e3779b1);
  for (let at = 0; at < bytes.length; at++) {
    noise ^= noise << 13;
    noise ^= noise >>> 17;
    noise ^= noise << 5;
    bytes[at]! ^= noise & 255;
  }
}
