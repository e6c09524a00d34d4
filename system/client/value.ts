import { utf8Of } from '../utf8.ts';

/** A key or value: text stands for its UTF-8 bytes. */
export type Bytes = string | Uint8Array;

/** How bytes stand in JSON: a string when they are valid UTF-8, else base64. */
export type JsonBytes = string | { readonly base64: string };

const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function toBytes(value: Bytes): Uint8Array {
  return typeof value === 'string' ? utf8Of(value) : value;
}

export function toJsonBytes(value: Bytes): JsonBytes {
  if (typeof value === 'string') return value;
  try {
    return strictText.decode(value);
  } catch {
    return { base64: encodeBase64(value) };
  }
}

/**
 * A value in JSON. A list stands for its own JSON text: an array of its elements, as reading the key alone gives it.
 * @returns undefined when it is neither text nor base64 nor a list
 */
export function fromJsonBytes(value: unknown): Uint8Array | undefined {
  if (Array.isArray(value)) return utf8Of(JSON.stringify(value));
  if (typeof value === 'string') return utf8Of(value);
  if (typeof value !== 'object' || value === null || !('base64' in value)) return undefined;
  return typeof value.base64 === 'string' ? decodeBase64(value.base64) : undefined;
}

/** What stands for itself in a path. */
const unreserved = /^[\w.~-]*$/;

/** Percent-encodes a key of any bytes as one path segment. */
export function encodeKey(key: Bytes): string {
  if (typeof key === 'string' && unreserved.test(key)) return key;
  let encoded = '';
  for (const byte of toBytes(key)) {
    const isUnreserved =
      (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
    encoded +=
      isUnreserved || byte === 0x2d || byte === 0x2e || byte === 0x5f || byte === 0x7e
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function encodeBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const group = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text += alphabet[group >>> 18]! + alphabet[(group >>> 12) & 63]!;
    text += left > 1 ? alphabet[(group >>> 6) & 63]! : '=';
    text += left > 2 ? alphabet[group & 63]! : '=';
  }
  return text;
}

function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  for (let at = 0, to = 0; at < text.length; at += 4) {
    let group = 0;
    for (let i = 0; i < 4; i++) group = (group << 6) | Math.max(0, alphabet.indexOf(text[at + i]!));
    for (let shift = 16; shift >= 0 && to < bytes.length; shift -= 8) bytes[to++] = (group >>> shift) & 255;
  }
  return bytes;
}
