import type { Command } from './command.ts';

/** @throws RangeError when the operation id or the key's length cannot be said; limits are judged when applied */
export function encodeCommand(_command: Command): Uint8Array {
  throw new Error('not yet');
}

/** Undefined when the bytes are no command. Values are views into the bytes. */
export function decodeCommand(_bytes: Uint8Array): Command | undefined {
  throw new Error('not yet');
}
