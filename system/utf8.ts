const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** An array of up to so many bytes lies on the engine's own heap. */
const smallBytesMax = 64;

/** @returns the text's UTF-8 bytes, as TextEncoder gives them; most texts here are short and plain, and cost far less so */
export function utf8Of(text: string): Uint8Array {
  const { length } = text;
  if (length > smallBytesMax) return encoder.encode(text);
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 127) return encoder.encode(text);
    bytes[at] = unit;
  }
  return bytes;
}

/** @returns the text whose UTF-8 bytes these are; what is none becomes U+FFFD */
export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
