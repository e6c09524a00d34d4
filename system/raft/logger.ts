/** Where the core tells what it does. A line is built only when `line` is called: a quiet level costs nothing. */
export interface Logger {
  debug(line: () => string): void;
  info(line: () => string): void;
  warning(line: () => string): void;
  error(line: () => string): void;
}

export const SILENT: Logger = { debug() {}, info() {}, warning() {}, error() {} };
