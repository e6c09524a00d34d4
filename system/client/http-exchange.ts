import { Agent } from 'undici';
import { collectBytesMax, type Exchange, type ExchangeResult } from './exchange.ts';

/** A bound on connections to a node: more concurrent requests wait their turn inside their own deadlines. */
const connectionsMax = 1024;

/** Codes of failures before a connection stood: not a byte was sent. */
const refusedCodes: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection-refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  UND_ERR_CONNECT_TIMEOUT: 'connect-timeout',
};

/**
 * Real HTTP over undici's dispatcher, each request sent at most once; with one request a connection at a time (no
 * pipelining) a reset is never another request's.
 * @returns the exchange, and `close`, after which every open request fails
 */
export function createHttpExchange(): { exchange: Exchange; close: () => Promise<void> } {
  const agent = new Agent({
    connections: connectionsMax,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: 2000 },
  });
  const exchange: Exchange = (node, request, done) => {
    let sent = false;
    let finished = false;
    let status = 0;
    let abort: ((reason: Error) => void) | undefined;
    const headers: Record<string, string> = {};
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    const finish = (result: ExchangeResult) => {
      if (finished) return;
      finished = true;
      clearTimeout(timer);
      setImmediate(done, result);
    };
    const collected = () => {
      finish({ type: 'answer', status, headers, body: Buffer.concat(chunks) });
      abort?.(new Error('collected'));
    };
    let timer = setTimeout(() => {
      finish({ type: 'failure', error: 'timeout', message: `no answer within ${request.timeoutMs} ms`, sent });
      abort?.(new Error('deadline'));
    }, request.timeoutMs);
    agent.dispatch(
      {
        origin: node,
        path: request.path,
        method: request.method,
        headers: request.headers,
        body: request.body ?? null,
      },
      {
        onRequestStart(controller) {
          // Called when a standing connection takes the request, just before its first byte is written.
          // A second call would be undici sending it again, which must never happen in silence.
          if (finished || sent) return controller.abort(new Error(sent ? 'would be sent twice' : 'deadline'));
          sent = true;
          abort = (reason) => controller.abort(reason);
        },
        onResponseStart(_controller, statusCode, responseHeaders) {
          status = statusCode;
          for (const [name, value] of Object.entries(responseHeaders)) {
            if (value !== undefined) headers[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
          }
          if (request.collectMs === undefined || finished) return;
          clearTimeout(timer);
          timer = setTimeout(collected, request.collectMs);
        },
        onResponseData(_controller, chunk) {
          chunks.push(chunk);
          bytes += chunk.length;
          if (request.collectMs !== undefined && bytes > collectBytesMax) collected();
        },
        onResponseEnd() {
          finish({ type: 'answer', status, headers, body: Buffer.concat(chunks) });
        },
        onResponseError(_controller, error) {
          const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
          const refused = refusedCodes[code];
          const name = refused ?? (sent ? 'connection-reset' : 'connection-failed');
          finish({ type: 'failure', error: name, message: error.message, sent: sent && refused === undefined });
        },
      },
    );
  };
  return { exchange, close: () => agent.destroy() };
}
