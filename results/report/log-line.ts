/** A line of a node's log, placed on the run's own time as well as its clock allows. */
export interface LogLine {
  /** Nanoseconds since the start of the run by the node's clock, which a fault may have bent; missing for plain text. */
  readonly time?: number;
  readonly level: string;
  readonly event?: string;
  readonly fields: { readonly [name: string]: unknown };
  /** For a person, on one line. */
  readonly text: string;
}

const levels: { readonly [level: string]: string } = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};
const notShown = new Set(['level', 'time', 'event', 'message', 'msg', 'pid', 'hostname', 'node']);

/** Parses one line of pino's NDJSON; anything else is kept as the text it is. */
export function parseLogLine(line: string, startedMs: number): LogLine {
  const fields = parseObject(line);
  if (fields === undefined) return { level: 'text', fields: {}, text: line };
  const at = typeof fields.time === 'string' ? Date.parse(fields.time) : fields.time;
  const level = levels[String(fields.level)] ?? String(fields.level ?? 'info');
  const event = typeof fields.event === 'string' ? fields.event : undefined;
  const rest = Object.entries(fields).filter(([name]) => !notShown.has(name));
  const text = [
    level === 'info' ? undefined : level.toUpperCase(),
    event,
    ...[fields.msg, fields.message].filter((said) => typeof said === 'string'),
    ...rest.map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`),
  ];
  return {
    ...(typeof at === 'number' && Number.isFinite(at) && { time: (at - startedMs) * 1e6 }),
    level,
    ...(event !== undefined && { event }),
    fields,
    text: text.filter((part) => part !== undefined).join(' '),
  };
}

function parseObject(line: string): { readonly [name: string]: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
