/**
 * Seeded histories for the checker's benchmarks, as the bytes of an NDJSON file. They are linearizable: each call
 * takes effect at a random point between its invocation and its completion.
 */
export interface HistoryShape {
  readonly seed: number;
  readonly operations: number;
  readonly keys: number;
  readonly clients: number;
  /** How many different values are written; 0: every write has its own. */
  readonly values: number;
  /** Of 100 calls, how many are a cas; of the rest, half are reads. */
  readonly casPercent: number;
  /** Of 1,000 calls, how many have an unknown outcome. */
  readonly unknownPermille: number;
  /** One read near the end answers an old value. */
  readonly stale: boolean;
}

interface OpenCall {
  readonly f: string;
  readonly key: number;
  readonly argument: number | readonly [number | null, number] | null;
  /** What it answers; undefined before it took effect. */
  answer: number | null | undefined;
  effective: boolean;
  refused: boolean;
}

/** xorshift32, good enough to choose with. */
function random(seed: number): (bound: number) => number {
  let state = seed >>> 0 || 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

/** The lines of a history, without newlines. */
export function historyLines(shape: HistoryShape): string[] {
  const below = random(shape.seed);
  const lines: string[] = [];
  const state: (number | null)[] = Array.from({ length: shape.keys }, () => null);
  const old: (number | null)[] = Array.from({ length: shape.keys }, () => null);
  const calls: (OpenCall | undefined)[] = Array.from({ length: shape.clients }, () => undefined);
  const processes = Array.from({ length: shape.clients }, (_, client) => client);
  let invoked = 0;
  let open = 0;
  let written = 0;
  let stale = !shape.stale;
  const value = (): number => (shape.values === 0 ? ++written : below(shape.values));
  const line = (process: number, type: string, f: string, key: number, text: unknown, error = ''): void => {
    const index = lines.length;
    lines.push(
      `{"index":${index},"time":${index * 1009},"process":${process},"type":"${type}","f":"${f}","key":"k${key}","value":${JSON.stringify(text)}${error}}`,
    );
  };
  const act = (call: OpenCall): void => {
    call.effective = true;
    const now = state[call.key] ?? null;
    if (call.f === 'read') {
      call.answer = now;
      return;
    }
    if (Array.isArray(call.argument) && call.argument[0] !== now) {
      call.refused = true;
      return;
    }
    if (invoked > shape.operations / 2) old[call.key] ??= now;
    state[call.key] = Array.isArray(call.argument) ? call.argument[1] : (call.argument as number);
  };
  while (invoked < shape.operations || open > 0) {
    const client = below(shape.clients);
    const call = calls[client];
    if (call === undefined) {
      if (invoked === shape.operations) continue;
      const key = below(shape.keys);
      const cas = below(100) < shape.casPercent;
      const f = cas ? 'cas' : below(2) === 0 ? 'read' : 'write';
      const expected = shape.values === 0 || below(2) === 0 ? (state[key] ?? null) : below(shape.values);
      const argument = cas ? ([expected, value()] as const) : f === 'write' ? value() : null;
      calls[client] = { f, key, argument, answer: undefined, effective: false, refused: false };
      invoked++;
      open++;
      line(processes[client]!, 'invoke', f, key, argument);
      if (below(2) === 0) act(calls[client]!);
      continue;
    }
    if (!call.effective) {
      if (below(1000) >= shape.unknownPermille) act(call);
      else {
        // It never happens, or did at once; nobody hears of it.
        if (below(2) === 0) act(call);
        line(processes[client]!, 'info', call.f, call.key, call.argument, ',"error":"timeout"');
        processes[client]! += shape.clients;
        calls[client] = undefined;
        open--;
      }
      continue;
    }
    calls[client] = undefined;
    open--;
    if (call.refused) line(processes[client]!, 'fail', call.f, call.key, call.argument, ',"error":"cas-mismatch"');
    else if (call.f === 'read') {
      let answer = call.answer ?? null;
      if (!stale && invoked > shape.operations * 0.99 && old[call.key] !== answer && old[call.key] !== null) {
        answer = old[call.key]!;
        stale = true;
      }
      line(processes[client]!, 'ok', call.f, call.key, answer);
    } else line(processes[client]!, 'ok', call.f, call.key, call.argument);
  }
  return lines;
}
