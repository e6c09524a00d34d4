/**
 * The datadriven format (cockroachdb/datadriven): comments and blank lines; a directive on a line of its own
 * (continued by a final backslash); input lines; `----`; the output up to a blank line, or, when it holds blank
 * lines itself, between doubled `----` lines.
 */
export interface Directive {
  readonly command: string;
  readonly args: readonly Arg[];
  readonly input: readonly string[];
}

/** `key`, `key=value` or `key=(value, value)`. */
export interface Arg {
  readonly key: string;
  readonly values: readonly string[];
}

const SEPARATOR = '----';
const ARG = /^([^\s=(]+)(?:=(?:\(([^)]*)\)|(\S*)))?/;

/**
 * Prints a script again, with what `run` says to each directive in place of the output that stands there. The
 * output in the text is never looked at.
 */
export function rewrite(text: string, run: (directive: Directive) => string): string {
  const lines = text.split('\n');
  const printed: string[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at]!;
    if (line.trim() === '' || line.startsWith('#')) {
      printed.push(line);
      at++;
      continue;
    }
    const start = at;
    let command = line;
    while (command.endsWith('\\') && at + 1 < lines.length) {
      at++;
      command = command.slice(0, -1) + lines[at];
    }
    at++;
    const inputStart = at;
    while (at < lines.length && lines[at] !== SEPARATOR) at++;
    const input = lines.slice(inputStart, at);
    printed.push(...lines.slice(start, at), SEPARATOR);
    at = skipOutput(lines, at + 1);
    printed.push(...framed(run({ ...parseCommand(command), input })));
    if (at < lines.length && lines[at]!.trim() !== '') printed.push('');
  }
  return `${printed.join('\n').trimEnd()}\n`;
}

/** @returns where the output that starts at `at` ends */
function skipOutput(lines: readonly string[], at: number): number {
  let end = at;
  if (lines[end] !== SEPARATOR) {
    while (end < lines.length && lines[end]!.trim() !== '') end++;
    return end;
  }
  end++;
  while (end < lines.length && !(lines[end] === SEPARATOR && lines[end + 1] === SEPARATOR)) end++;
  return end + 2;
}

function framed(output: string): readonly string[] {
  const lines = output.trimEnd().split('\n');
  return lines.some((line) => line.trim() === '') ? [SEPARATOR, ...lines, SEPARATOR, SEPARATOR] : lines;
}

function parseCommand(text: string): { readonly command: string; readonly args: readonly Arg[] } {
  const [, command = '', rest = ''] = /^\s*(\S+)\s*(.*)$/.exec(text) ?? [];
  const args: Arg[] = [];
  for (const part of splitArgs(rest)) {
    const [, key = part, list, single] = ARG.exec(part) ?? [];
    if (list !== undefined)
      args.push({
        key,
        values: list
          .split(',')
          .map((value) => value.trim())
          .filter(Boolean),
      });
    else args.push({ key, values: single === undefined || single === '' ? [] : [single] });
  }
  return { command, args };
}

/** At spaces, but not at those between parentheses. */
function splitArgs(text: string): readonly string[] {
  return text.match(/[^\s(]*\([^)]*\)|\S+/g) ?? [];
}
