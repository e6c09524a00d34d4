import { exitCodes } from './exit.ts';

/**
 * Ctrl-C (and SIGTERM, SIGHUP) asks for an orderly end; once more ends at once.
 * @param ending what an orderly end does, for the line that answers Ctrl-C
 */
export function interruptible(ending: string): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(exitCodes.failed);
    process.stderr.write(`\ninterrupted: ${ending}; once more to stop at once\n`);
    controller.abort(new Error('interrupted before anything was recorded'));
  };
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of names) process.on(name, onSignal);
  return {
    signal: controller.signal,
    release() {
      for (const name of names) process.off(name, onSignal);
    },
  };
}
