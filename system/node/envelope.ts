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

/** What comes before the command. */
export const ENVELOPE_BYTES = 1 + 8 + 4 + 8;

/** One head at a time, copied in or out: a view of each entry's bytes would cost more than all the rest. */
const head = new Uint8Array(ENVELOPE_BYTES);
const view = new DataView(head.buffer);

/** Fills in the head of an entry whose command lies behind it already. */
export function sealEnvelope(data: Uint8Array, origin: Origin): void {
  view.setUint8(0, origin.forwarded ? 1 : 0);
  view.setFloat64(1, origin.node, true);
  view.setUint32(9, origin.incarnation, true);
  view.setFloat64(13, origin.sequence, true);
  for (let at = 0; at < ENVELOPE_BYTES; at++) data[at] = head[at]!;
}

/** @returns undefined when the bytes are too short to be an envelope */
export function openEnvelope(data: Uint8Array): Origin | undefined {
  if (data.length < ENVELOPE_BYTES) return undefined;
  for (let at = 0; at < ENVELOPE_BYTES; at++) head[at] = data[at]!;
  return {
    forwarded: view.getUint8(0) === 1,
    node: view.getFloat64(1, true),
    incarnation: view.getUint32(9, true),
    sequence: view.getFloat64(13, true),
  };
}
