/**
 * Aborts when the signal does, or when the time is over. Not `AbortSignal.any` with `AbortSignal.timeout`: nothing
 * keeps those, and once they are collected as garbage the time is never over.
 * @returns the signal, which does not keep the process alive
 */
export function withinTime(signal: AbortSignal, limitMs: number): AbortSignal {
  const over = new AbortController();
  const stop = () => over.abort(signal.aborted ? signal.reason : new Error(`${limitMs} ms are over`));
  setTimeout(stop, limitMs).unref();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  return over.signal;
}
