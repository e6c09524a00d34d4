import type { Client as StoreClient } from '../../system/client/index.ts';
import type { NodeStatus } from './target.ts';

/** How long a node may take to say what it believes; it asks nobody, so it answers at once or not at all. */
const statusTimeoutMs = 1000;

/**
 * What each node says of itself, over whichever clients reach it. One that knows of no leader is left out, as if it
 * had not answered: its state may be that of the others, from its own disk, and it would serve nobody.
 */
export async function statuses(
  nodes: readonly string[],
  client: (node: string) => StoreClient,
): Promise<readonly NodeStatus[]> {
  const answers = await Promise.all(
    nodes.map(async (node) => ({ node, answer: await client(node).status({ timeoutMs: statusTimeoutMs }) })),
  );
  return answers.flatMap(({ node, answer }) => {
    if (!answer.ok || answer.value.leader === null) return [];
    const { role, term, applied, hash } = answer.value;
    return [{ node, leader: role === 'leader', term, applied, hash }];
  });
}
