import type { MessageRecord } from '../../results/store/schema.ts';
import { type Message, MessageType } from '../../system/raft/index.ts';
import { FrameDecoder, frameKind } from '../../system/transport/frame.ts';
import { decodeMessage } from '../../system/transport/message-codec.ts';

const names = new Map<number, string>(Object.entries(MessageType).map(([name, number]) => [number, name]));

/** A message on its way. */
export type Letter = { -readonly [Field in keyof MessageRecord]: MessageRecord[Field] };

/** Writes down each raft message that goes over a simulated wire, and when it came. Disturbs nothing. */
export class Wiretap {
  readonly #letters: Letter[] = [];

  /** What was sent so far, in order. */
  get messages(): readonly MessageRecord[] {
    return this.#letters;
  }

  /** @param bytes a write: whole frames. @returns what is in it, to be told of its arrival */
  sent(from: string, to: string, bytes: Uint8Array, nowUs: number): readonly Letter[] {
    const letters: Letter[] = [];
    const decoder = new FrameDecoder((frame) => {
      if (frame.kind !== frameKind.message && frame.kind !== frameKind.snapshotStart) return;
      const message = decodeMessage(frame.source, frame.payloadStart, frame.payloadEnd);
      letters.push({ sent: nowUs * 1000, from, to, ...contentOf(message) });
    });
    decoder.push(bytes);
    this.#letters.push(...letters);
    return letters;
  }
}

/** Of a message that came twice the first time counts. */
export function arrived(letters: readonly Letter[], nowUs: number): void {
  for (const letter of letters) letter.arrived ??= nowUs * 1000;
}

function contentOf({ type, term, index, logTerm, commit, reject, entries }: Message) {
  return {
    type: names.get(type) ?? String(type),
    term,
    ...(index > 0 && { index }),
    ...(logTerm > 0 && { logTerm }),
    ...(commit > 0 && { commit }),
    ...(entries.length > 0 && { entries: entries.length }),
    ...(reject && { reject }),
  };
}
