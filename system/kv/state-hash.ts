import type { ByteString } from './byte-string.ts';

/**
 * Hashes one thing into 64 bits, in two 32-bit lanes. Each step can be undone when its input is known, so two
 * inputs that differ in one word never meet. Not for adversaries. Reused: `start`, feed, `finish`, read lanes.
 */
export class Hasher {
  low = 0;
  high = 0;

  start(domain: number): void {
    this.low = domain;
    this.high = ~domain;
  }

  /** Any safe integer from 0. */
  number(value: number): void {
    this.words(value | 0, (value / 0x1_0000_0000) | 0);
  }

  text(value: ByteString): void {
    let low = this.low;
    let high = this.high;
    const length = value.length;
    let at = 0;
    for (; at + 3 < length; at += 4) {
      const word =
        value.charCodeAt(at) |
        (value.charCodeAt(at + 1) << 8) |
        (value.charCodeAt(at + 2) << 16) |
        (value.charCodeAt(at + 3) << 24);
      low = Math.imul(low ^ word, 0x9e3779b1);
      high = Math.imul(high ^ low ^ (low >>> 15), 0x85ebca77);
    }
    let rest = length;
    for (; at < length; at++) rest = Math.imul(rest, 257) + value.charCodeAt(at);
    this.low = low;
    this.high = high;
    this.words(rest, length);
  }

  bytes(value: Uint8Array): void {
    let low = this.low;
    let high = this.high;
    const length = value.length;
    let at = 0;
    for (; at + 7 < length; at += 8) {
      const first = value[at]! | (value[at + 1]! << 8) | (value[at + 2]! << 16) | (value[at + 3]! << 24);
      const second = value[at + 4]! | (value[at + 5]! << 8) | (value[at + 6]! << 16) | (value[at + 7]! << 24);
      low = Math.imul(low ^ first, 0x9e3779b1);
      high = Math.imul(high ^ second, 0x85ebca77);
      low = (low + ((high << 13) | (high >>> 19))) | 0;
      high ^= low >>> 15;
    }
    this.low = low;
    this.high = high;
    for (; at < length; at++) this.words(value[at]!, at);
    this.words(length, 1);
  }

  words(first: number, second: number): void {
    const low = Math.imul(this.low ^ first, 0x9e3779b1);
    const high = Math.imul(this.high ^ second, 0x85ebca77);
    this.low = (low + ((high << 13) | (high >>> 19))) | 0;
    this.high = high ^ (this.low >>> 15);
  }

  /** Spreads every bit over both lanes, so that sums of hashes are worth something. */
  finish(): void {
    let low = this.low ^ (this.high >>> 16);
    let high = this.high ^ (this.low >>> 16);
    low = Math.imul(low ^ (low >>> 16), 0x85ebca6b);
    high = Math.imul(high ^ (high >>> 15), 0xc2b2ae35);
    low = Math.imul(low ^ (high >>> 13), 0xc2b2ae35);
    high = Math.imul(high ^ (low >>> 16), 0x85ebca6b);
    this.low = low ^ (low >>> 16);
    this.high = high ^ (high >>> 14);
  }
}

/** The hash of a set: the sum of its members' hashes, so members come and go in constant time and in any order. */
export class SetHash {
  low = 0;
  high = 0;
  add(low: number, high: number): void {
    this.low = (this.low + low) | 0;
    this.high = (this.high + high) | 0;
  }
  remove(low: number, high: number): void {
    this.low = (this.low - low) | 0;
    this.high = (this.high - high) | 0;
  }
}

const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** 16 hex digits. It is made after each entry that a node with an audit applies. */
export function hashText(low: number, high: number): string {
  return hexOf(high) + hexOf(low);
}

function hexOf(word: number): string {
  const left = hexOfByte[word >>> 24]! + hexOfByte[(word >>> 16) & 255]!;
  return left + hexOfByte[(word >>> 8) & 255]! + hexOfByte[word & 255]!;
}
