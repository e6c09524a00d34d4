/**
 * A byte string: text in which every code unit is one byte, 0 to 255. Keys and operation ids are byte strings:
 * binary-safe, compared with `<` in byte order, hashed by the engine, and half the size of text in memory.
 */
export type ByteString = string;

/** Bytes handed to `String.fromCharCode` at once: the engine's limit on arguments is far above. */
const piece = 4096;
/** A plain array of each small length: the engine hands one over three times as fast as it does a typed array. */
const units = Array.from({ length: 65 }, (_, length) => new Array<number>(length).fill(0));

/** Of the bytes in [from, to). */
export function byteStringOf(bytes: Uint8Array, from = 0, to = bytes.length): ByteString {
  const small = units[to - from];
  if (small !== undefined) {
    for (let at = 0; at < small.length; at++) small[at] = bytes[from + at]!;
    return String.fromCharCode.apply(null, small);
  }
  let text = '';
  for (let at = from; at < to; at += piece) {
    text += String.fromCharCode.apply(null, bytes.subarray(at, Math.min(to, at + piece)) as unknown as number[]);
  }
  return text;
}

/** @throws RangeError when a code unit is above 255 */
export function bytesOf(text: ByteString): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 255) throw new RangeError(`not a byte string: code unit ${unit} at ${at}`);
    bytes[at] = unit;
  }
  return bytes;
}

/** The least byte string above every one that starts with `prefix`; undefined when there is none. */
export function prefixEnd(prefix: ByteString): ByteString | undefined {
  let length = prefix.length;
  while (length > 0 && prefix.charCodeAt(length - 1) === 255) length--;
  if (length === 0) return undefined;
  return prefix.slice(0, length - 1) + String.fromCharCode(prefix.charCodeAt(length - 1) + 1);
}
