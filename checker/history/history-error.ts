/** A history that cannot be read. The message is one line for a person; `line` counts from 1 where there are lines. */
export class HistoryError extends Error {
  readonly line: number | undefined;
  constructor(message: string, line?: number) {
    super(line === undefined ? message : `line ${line}: ${message}`);
    this.name = 'HistoryError';
    this.line = line;
  }
}
