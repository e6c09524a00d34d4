import type { Client, Outcome, Request } from './target.ts';

/**
 * A client from a function that carries out one operation. What the function throws leaves the outcome open: nothing
 * is known of a request during which the client itself broke.
 */
export function asyncClient(perform: (request: Request) => Promise<Outcome>, close: () => void = () => {}): Client {
  return {
    invoke(request, done) {
      perform(request).then(done, (error: unknown) =>
        done({ type: 'info', error: `client-error ${error instanceof Error ? error.message : String(error)}` }),
      );
    },
    close,
  };
}
