import ora from 'ora';
import type { Progress } from '../runner/run.ts';

const terminalEveryMs = 200;
const plainEveryMs = 10_000;

const phases: { readonly [phase in Progress['phase']]: string } = {
  'set-up': 'starting the nodes',
  operations: 'operations',
  heal: 'healing',
  converge: 'waiting for the nodes to agree',
  final: 'final reads',
  end: 'ending the nodes',
  interrupted: 'ending the nodes',
  judge: 'checking',
};

/**
 * Shows on standard error how far a run is: one changing line on a terminal, elsewhere a plain line whenever a part
 * of the run begins and every ten seconds.
 * @returns what ends it
 */
export function showProgress(progress: () => Progress): () => void {
  const stream = process.stderr;
  if (canChangeLines()) return changing(() => line(progress()));
  let phase: Progress['phase'] | undefined;
  let next = 0;
  const timer = setInterval(() => {
    const now = progress();
    if (now.phase === phase && now.elapsedMs < next) return;
    phase = now.phase;
    next = now.elapsedMs + plainEveryMs;
    stream.write(`${line(now)}\n`);
  }, terminalEveryMs);
  return () => clearInterval(timer);
}

/**
 * The same for work that has no parts: one changing line on a terminal, elsewhere a plain one every ten seconds.
 * @returns what ends it
 */
export function showLine(text: () => string): () => void {
  if (canChangeLines()) return changing(text);
  const timer = setInterval(() => process.stderr.write(`${text()}\n`), plainEveryMs);
  return () => clearInterval(timer);
}

/** A terminal of no columns, as some recorders open, can take nothing back: a spinner would never come to an end on it. */
function canChangeLines(): boolean {
  return process.stderr.isTTY && process.stderr.columns > 0;
}

function changing(text: () => string): () => void {
  // The spinner must leave standard input, and so Ctrl-C, alone.
  const spinner = ora({ stream: process.stderr, discardStdin: false, text: text() }).start();
  const timer = setInterval(() => {
    spinner.text = text();
  }, terminalEveryMs);
  return () => {
    clearInterval(timer);
    spinner.stop();
  };
}

function line({ phase, elapsedMs, counts, faults }: Progress): string {
  const { ok, fail, info } = counts;
  return `${(elapsedMs / 1000).toFixed(0).padStart(3)} s  ${phases[phase]}  ${ok} ok, ${fail} fail, ${info} info, ${faults} faults`;
}
