import { ByteSlab } from '../byte-slab.ts';

/**
 * What surrounds a command in a log entry: who proposed it, so that the proposer can answer its client when the entry
 * is applied there, and so that a forwarded proposal which the network delivered twice takes effect once.
 *
 *     u8 how | f64 node | u32 incarnation | f64 sequence | command      (little-endian)
 */
export interface Origin {
  readonly node: number;
  /** Differs between starts of the node. */
  readonly incarnation: number;
  /** Counts a node's proposals within an incarnation, from 1, in the order in which it made them. */
  readonly sequence: number;
  /** Sent to a leader elsewhere, so it may arrive twice or late. What a leader itself appends is in one log slot. */
  readonly forwarded: boolean;
}

const headBytes = 1 + 8 + 4 + 8;

/** Entries leave the log in the order in which they came. */
const entries = new ByteSlab();

export function sealEnvelope(origin: Origin, command: Uint8Array): Uint8Array {
  const data = entries.take(headBytes + command.length);
  const view = new DataView(data.buffer, data.byteOffset);
  view.setUint8(0, origin.forwarded ? 1 : 0);
  view.setFloat64(1, origin.node, true);
  view.setUint32(9, origin.incarnation, true);
  view.setFloat64(13, origin.sequence, true);
  data.set(command, headBytes);
  return data;
}

/** @returns undefined when the bytes are too short to be one */
export function openEnvelope(data: Uint8Array): { readonly origin: Origin; readonly command: Uint8Array } | undefined {
  if (data.length < headBytes) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const origin: Origin = {
    forwarded: view.getUint8(0) === 1,
    node: view.getFloat64(1, true),
    incarnation: view.getUint32(9, true),
    sequence: view.getFloat64(13, true),
  };
  return { origin, command: data.subarray(headBytes) };
}
