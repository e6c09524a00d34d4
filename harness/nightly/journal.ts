import { existsSync, readFileSync, truncateSync } from 'node:fs';
import { z } from 'zod';
import { LineWriter } from '../../results/store/append.ts';
import { exampleSchema } from './group.ts';
import { jobResultSchema, jobSchema } from './job.ts';

/** What a night was begun with, beside its configuration: it goes on with the same. */
const settingsSchema = z.object({
  budgetMs: z.number(),
  shard: z.object({ number: z.number(), of: z.number() }),
  mutant: z.string().nullable(),
});

export type NightSettings = z.infer<typeof settingsSchema>;

const recordSchema = z.discriminatedUnion('type', [
  /** The night, or its continuation, begins here. */
  z.object({ type: z.literal('session'), at: z.string(), settings: settingsSchema }),
  z.object({ type: z.literal('begun'), at: z.string(), job: jobSchema }),
  z.object({ type: z.literal('done'), at: z.string(), result: jobResultSchema }),
  z.object({ type: z.literal('example'), at: z.string(), example: exampleSchema }),
]);

/** A line of a night's journal: what it takes to go on after a crash. */
export type JournalRecord = z.infer<typeof recordSchema>;

export type Note =
  | Omit<Extract<JournalRecord, { type: 'session' }>, 'at'>
  | Omit<Extract<JournalRecord, { type: 'begun' }>, 'at'>
  | Omit<Extract<JournalRecord, { type: 'done' }>, 'at'>
  | Omit<Extract<JournalRecord, { type: 'example' }>, 'at'>;

/** A journal that cannot be gone on with. */
class JournalError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'JournalError';
  }
}

/** A night's journal: what was there, and where to add to it. A last line without its newline is dropped. */
export class Journal {
  readonly earlier: readonly JournalRecord[];
  readonly #lines: LineWriter<JournalRecord>;

  constructor(path: string) {
    this.earlier = existsSync(path) ? read(path) : [];
    this.#lines = new LineWriter(path, 'a');
  }

  /** What the night was begun with; undefined: it begins now. */
  get settings(): NightSettings | undefined {
    const [first] = this.earlier;
    return first?.type === 'session' ? first.settings : undefined;
  }

  append(note: Note): void {
    this.#lines.append({ ...note, at: new Date().toISOString() });
  }

  close(): void {
    this.#lines.close();
  }
}

function read(path: string): readonly JournalRecord[] {
  const text = readFileSync(path, 'utf8');
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole.length < text.length) truncateSync(path, Buffer.byteLength(whole));
  return whole
    .split('\n')
    .slice(0, -1)
    .map((line, at) => {
      try {
        return recordSchema.parse(JSON.parse(line));
      } catch {
        throw new JournalError(`${path}:${at + 1}: not a line of a night's journal; begin a new night`);
      }
    });
}
