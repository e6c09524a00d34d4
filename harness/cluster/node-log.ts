import { createWriteStream, type WriteStream } from 'node:fs';
import type { Readable } from 'node:stream';

const keptLines = 20;
const lineCharactersMax = 2000;

/** Where a node says that it serves. */
export interface Listening {
  readonly clientPort: number;
  readonly peerPort: number;
}

/**
 * Appends what a node writes to its log file, and keeps the last lines for a crash report. A slow disk pauses the
 * node's output rather than filling the harness's memory.
 */
export class NodeLog {
  readonly #file: WriteStream;
  #lastLines: string[] = [];

  constructor(path: string) {
    this.#file = createWriteStream(path, { flags: 'a' });
    // A full disk must not end the harness; the run's own files report it.
    this.#file.on('error', () => {});
  }

  /** The last lines, oldest first, each cut to a bound. */
  get lastLines(): readonly string[] {
    return this.#lastLines;
  }

  /** Takes all of a stream's lines; `onLine` sees each, cut to a bound. */
  take(stream: Readable, onLine: (line: string) => void): void {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      if (!this.#file.write(chunk)) {
        stream.pause();
        this.#file.once('drain', () => stream.resume());
      }
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()?.slice(0, lineCharactersMax) ?? '';
      for (const line of lines) this.#line(line.slice(0, lineCharactersMax), onLine);
    });
    stream.on('end', () => {
      if (rest !== '') this.#line(rest, onLine);
    });
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => void this.#file.end(() => resolve()));
  }

  #line(line: string, onLine: (line: string) => void): void {
    this.#lastLines.push(line);
    if (this.#lastLines.length > keptLines) this.#lastLines.shift();
    onLine(line);
  }
}

/** A line of the log, as far as it is a record. */
export interface LogRecord {
  readonly event: string;
  readonly facts: { readonly [name: string]: unknown };
}

/** @returns undefined for a line that is no record */
export function parseRecord(line: string): LogRecord | undefined {
  try {
    const facts: unknown = JSON.parse(line);
    return isRecord(facts) ? { event: facts.event, facts } : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(parsed: unknown): parsed is { readonly event: string; readonly [name: string]: unknown } {
  return typeof parsed === 'object' && parsed !== null && 'event' in parsed && typeof parsed.event === 'string';
}

/** @returns what a `listening` record says; undefined for any other */
export function parseListening({ event, facts }: LogRecord): Listening | undefined {
  const { clientPort, peerPort } = facts;
  return event === 'listening' && typeof clientPort === 'number' && typeof peerPort === 'number'
    ? { clientPort, peerPort }
    : undefined;
}

/** @returns the last line for a person: its message when it is a log record, else the text itself */
export function lastWords(lines: readonly string[]): string {
  const line = lines.at(-1);
  if (line === undefined) return 'it wrote no log';
  try {
    const { event, message } = JSON.parse(line) as { readonly [name: string]: unknown };
    return [event, message].filter((part) => typeof part === 'string').join(': ') || line;
  } catch {
    return line;
  }
}
