import { crc32c } from '../crc32c.ts';
import { getU32, putU32 } from '../entry-codec.ts';

/**
 * Peer frames: `u32 length (of what follows) | u8 kind | payload | u32 CRC-32C of kind and payload`,
 * little-endian. The first frame of a connection is the handshake.
 */
export const frameKind = {
  handshake: 1,
  /** Says nothing; sent every 100 ms so that a cut link always has traffic to prove itself with. Empty payload. */
  ping: 2,
  /** One or more raft messages. */
  message: 3,
  /** The beginning of a snapshot: its raft message and its size. */
  snapshotStart: 4,
  /** A piece of a snapshot: its offset and its bytes. */
  snapshotChunk: 5,
} as const;

/** The largest frame that is accepted, all included: a message of the greatest size with room to spare. */
const frameBytesMax = 64 * 1024 * 1024;

/** Length, kind and checksum around a payload. */
export const frameOverheadBytes = 9;

/** Where a frame lies in the bytes that came. Views of it are cut when asked for: one costs more than reading most. */
export class Frame {
  readonly kind: number;
  readonly source: Uint8Array;
  readonly start: number;
  readonly end: number;

  /** All of it is in [start, end) of the source. */
  constructor(source: Uint8Array, start: number, end: number) {
    this.kind = source[start + 4]!;
    this.source = source;
    this.start = start;
    this.end = end;
  }

  get payloadStart(): number {
    return this.start + 5;
  }

  get payloadEnd(): number {
    return this.end - 4;
  }

  get payload(): Uint8Array {
    return this.source.subarray(this.payloadStart, this.payloadEnd);
  }

  /** The whole frame as it was on the wire, to be passed on as it is. */
  get bytes(): Uint8Array {
    return this.source.subarray(this.start, this.end);
  }
}

/** What came is not a frame: a wrong length or checksum. The stream cannot be used any further. */
export class FrameError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FrameError';
  }
}

/** @returns one whole frame; the payload is copied */
export function encodeFrame(kind: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(frameOverheadBytes + payload.length);
  frame.set(payload, 5);
  return sealFrame(frame, kind);
}

/** Fills in length, kind and checksum of a frame whose payload already lies at offset 5, four bytes before its end. */
export function sealFrame(frame: Uint8Array, kind: number): Uint8Array {
  putU32(frame, 0, frame.length - 4);
  frame[4] = kind;
  putU32(frame, frame.length - 4, crc32c(frame, 0, 4, frame.length - 4));
  return frame;
}

/**
 * Cuts a stream of bytes into frames. `onFrame` is called inside `push`, once a frame, in order. The bytes of a
 * frame are a view of the pushed chunk when they lie in one, else a copy.
 */
export class FrameDecoder {
  readonly #onFrame: (frame: Frame) => void;
  readonly #bytesMax: number;
  /** Chunks of a frame that is not whole yet, and how many bytes they hold together. */
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** Bytes that must be pending before it is worth looking again. */
  #neededBytes = 4;

  constructor(onFrame: (frame: Frame) => void, bytesMax = frameBytesMax) {
    this.#onFrame = onFrame;
    this.#bytesMax = bytesMax;
  }

  /** Bytes of an incomplete frame that wait for the rest. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** @throws FrameError on a length beyond the bound or a checksum that does not agree */
  push(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#pendingBytes > 0) {
      this.#pending.push(chunk);
      this.#pendingBytes += chunk.length;
      if (this.#pendingBytes < this.#neededBytes) return;
      bytes = concatenate(this.#pending, this.#pendingBytes);
      this.#pending = [];
      this.#pendingBytes = 0;
    }
    let at = 0;
    this.#neededBytes = 4;
    while (bytes.length - at >= 4) {
      const frameBytes = 4 + getU32(bytes, at);
      if (frameBytes < frameOverheadBytes || frameBytes > this.#bytesMax) {
        throw new FrameError(`a frame of ${frameBytes} bytes (${frameOverheadBytes} to ${this.#bytesMax} are allowed)`);
      }
      if (bytes.length - at < frameBytes) {
        this.#neededBytes = frameBytes;
        break;
      }
      const end = at + frameBytes;
      const expected = getU32(bytes, end - 4);
      const actual = crc32c(bytes, 0, at + 4, end - 4);
      if (expected !== actual) throw new FrameError(`a frame's checksum is ${expected}, its bytes say ${actual}`);
      const frame = new Frame(bytes, at, end);
      at = end;
      this.#onFrame(frame);
    }
    if (at < bytes.length) {
      this.#pending.push(at === 0 ? bytes : bytes.subarray(at));
      this.#pendingBytes = bytes.length - at;
    }
  }
}

function concatenate(chunks: readonly Uint8Array[], totalBytes: number): Uint8Array {
  const all = new Uint8Array(totalBytes);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** The first frame of a peer connection: who dials whom, in which cluster, what for. */
export interface Handshake {
  readonly version: 1;
  readonly cluster: string;
  readonly from: string;
  readonly to: string;
  readonly purpose: 'messages' | 'snapshot';
}

/** @returns the whole first frame */
export function encodeHandshake(handshake: Handshake): Uint8Array {
  return encodeFrame(frameKind.handshake, new TextEncoder().encode(JSON.stringify(handshake)));
}

/** @throws FrameError when the frame is not a handshake of this version */
export function decodeHandshake(frame: Frame): Handshake {
  if (frame.kind !== frameKind.handshake) {
    throw new FrameError(`the first frame is of kind ${frame.kind}, not a handshake`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(frame.payload));
  } catch {
    throw new FrameError('the handshake is not JSON');
  }
  if (typeof parsed !== 'object' || parsed === null) throw new FrameError('the handshake is not an object');
  const { version, cluster, from, to, purpose } = parsed as { readonly [name: string]: unknown };
  if (version !== 1) throw new FrameError(`the handshake is of version ${String(version)}, not 1`);
  if (
    typeof cluster !== 'string' ||
    typeof from !== 'string' ||
    typeof to !== 'string' ||
    (purpose !== 'messages' && purpose !== 'snapshot')
  ) {
    throw new FrameError('the handshake lacks cluster, from, to or purpose');
  }
  return { version, cluster, from, to, purpose };
}
