import { request } from 'undici';
import { z } from 'zod';

const status = z.object({
  id: z.coerce.string(),
  role: z.string(),
  incarnation: z.coerce.string(),
  clock: z.object({ wallMs: z.number(), monotonicMs: z.number() }),
});

/** What the harness reads of `GET /v1/status`. */
export type NodeStatus = z.infer<typeof status>;

/**
 * Asks a node, on a connection of its own.
 * @returns undefined when it does not answer in time, or not with a status
 */
export async function nodeStatus(address: string, timeoutMs: number): Promise<NodeStatus | undefined> {
  try {
    const { body } = await request(`${address}/v1/status`, { reset: true, signal: AbortSignal.timeout(timeoutMs) });
    return status.parse(await body.json());
  } catch {
    return undefined;
  }
}
