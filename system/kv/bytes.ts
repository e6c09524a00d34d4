import { type ByteString, byteStringOf } from './byte-string.ts';

/** Bytes that end too early or say what cannot be. Caught where bytes from outside are decoded. */
export class MalformedBytes extends Error {}

const SMALL_BYTES_MAX = 64;

/** Appends to a buffer that grows; reused from one encoding to the next. */
export class ByteWriter {
  private readonly capacityBytes: number;
  private buffer: Uint8Array;
  /** What lies before it was cut off. */
  private start = 0;
  private end = 0;

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes;
    this.buffer = new Uint8Array(capacityBytes);
  }

  get length(): number {
    return this.end - this.start;
  }

  clear(): void {
    this.end = this.start;
  }

  u8(value: number): void {
    this.reserve(1);
    this.buffer[this.end++] = value;
  }

  /** Leaves room. @returns where it starts */
  skip(length: number): number {
    this.reserve(length);
    this.end += length;
    return this.end - length;
  }

  /** Overwrites four bytes that were written before. */
  patchU32(at: number, value: number): void {
    this.buffer[at] = value;
    this.buffer[at + 1] = value >>> 8;
    this.buffer[at + 2] = value >>> 16;
    this.buffer[at + 3] = value >>> 24;
  }

  /** LEB128; any safe integer from 0. */
  uvarint(value: number): void {
    this.reserve(8);
    const buffer = this.buffer;
    let rest = value;
    while (rest > 0x7fffffff) {
      buffer[this.end++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      buffer[this.end++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    buffer[this.end++] = rest;
  }

  /** Length, then so many bytes of the array. */
  bytes(value: Uint8Array, from = 0, length = value.length): void {
    this.uvarint(length);
    this.reserve(length);
    const buffer = this.buffer;
    // A view of a few bytes costs more than to copy them.
    if (length > SMALL_BYTES_MAX) buffer.set(value.subarray(from, from + length), this.end);
    else for (let at = 0; at < length; at++) buffer[this.end + at] = value[from + at]!;
    this.end += length;
  }

  /** Length, then one byte for each code unit. @throws RangeError */
  text(value: ByteString): void {
    this.uvarint(value.length);
    this.reserve(value.length);
    const buffer = this.buffer;
    let above = 0;
    for (let at = 0; at < value.length; at++) {
      const unit = value.charCodeAt(at);
      above |= unit;
      buffer[this.end++] = unit;
    }
    if (above > 255) throw new RangeError('not a byte string: a code unit is above 255');
  }

  /** A copy of everything. */
  slice(): Uint8Array {
    return this.buffer.slice(this.start, this.end);
  }

  /**
   * Everything, as a view; what follows is written behind it. Many small pieces so share one array, which lives as long
   * as any of them: for what is dropped soon, or in the order in which it was made. A large piece gets its own.
   */
  cut(): Uint8Array {
    const isLarge = (this.end - this.start) * 8 > this.capacityBytes;
    const piece = isLarge ? this.slice() : this.buffer.subarray(this.start, this.end);
    if (isLarge) this.clear();
    else this.start = this.end;
    return piece;
  }

  /** Takes the first bytes out. Of a writer that is never cut. */
  take(length: number): Uint8Array {
    const taken = this.buffer.slice(0, length);
    this.buffer.copyWithin(0, length, this.end);
    this.end -= length;
    return taken;
  }

  private reserve(more: number): void {
    if (this.end + more <= this.buffer.length) return;
    const { length } = this;
    const grown = new Uint8Array(Math.max(this.capacityBytes, 2 * (length + more)));
    grown.set(this.buffer.subarray(this.start, this.end));
    this.buffer = grown;
    this.start = 0;
    this.end = length;
  }
}

/** Reads what a ByteWriter wrote. Every method throws MalformedBytes rather than read past the end. */
export class ByteReader {
  private readonly source: Uint8Array;
  private at: number;
  private readonly end: number;

  constructor(source: Uint8Array, at = 0, end: number = source.length) {
    this.source = source;
    this.at = at;
    this.end = end;
  }

  get done(): boolean {
    return this.at === this.end;
  }

  u8(): number {
    if (this.at >= this.end) throw new MalformedBytes('ends too early');
    return this.source[this.at++]!;
  }

  uvarint(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 127) * factor;
      if (byte < 128) break;
      factor *= 128;
      if (factor > Number.MAX_SAFE_INTEGER) throw new MalformedBytes('a number is too long');
    }
    if (value > Number.MAX_SAFE_INTEGER) throw new MalformedBytes('a number is too large');
    return value;
  }

  /** A view into the source. */
  bytes(): Uint8Array {
    const length = this.uvarint();
    if (length > this.end - this.at) throw new MalformedBytes('ends too early');
    this.at += length;
    return this.source.subarray(this.at - length, this.at);
  }

  text(): ByteString {
    const length = this.uvarint();
    if (length > this.end - this.at) throw new MalformedBytes('ends too early');
    this.at += length;
    return byteStringOf(this.source, this.at - length, this.at);
  }
}
