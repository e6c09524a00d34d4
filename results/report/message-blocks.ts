import { describeFault } from './fault-span.ts';
import type { Cast } from './picture/lanes.ts';
import { drawSequence } from './picture/sequence.ts';
import type { Block, Scene } from './story.ts';

/** A picture of more is no story. */
const messagesMax = 120;
/** What led to it, and what followed. */
const beforeNs = 0.5e9;
const afterNs = 0.1e9;
/** Said many times a second, and by everybody. */
const chatter = /^Heartbeat/;

/** What the nodes said to each other around an anomaly, where the run has it: those that were made small do. */
export function messageBlocks(from: number, to: number, { operations, marked }: Cast, scene: Scene): Block[] {
  const near = scene.messages.filter(
    ({ sent, type }) => sent >= from - beforeNs && sent <= to + afterNs && !chatter.test(type),
  );
  if (near.length === 0) return [];
  // The last: what the anomaly rests on is at its end.
  const messages = near.slice(-messagesMax);
  const [first] = messages;
  const isShown = (at: number) => first !== undefined && at >= first.sent && at <= to + afterNs;
  const notes = [
    ...scene.faults.flatMap((fault) => [
      { at: fault.start, text: `${describeFault(fault)} begins` },
      ...(fault.end === undefined ? [] : [{ at: fault.end, text: `${describeFault(fault)} is over` }]),
    ]),
    ...scene.leaderships.map(({ from, node, term }) => ({ at: from, text: `node ${node} leads in term ${term}` })),
  ].filter(({ at }) => isShown(at));
  const some = near.length > messages.length ? ` (the last ${messages.length} of ${near.length})` : '';
  const title = `Messages between nodes${some}, without heartbeats`;
  const nodes = scene.nodes.length > 0 ? scene.nodes : [...new Set(messages.flatMap((one) => [one.from, one.to]))];
  const picture = drawSequence({ nodes, messages, operations, marked, notes, title });
  return [{ type: 'picture', title, name: 'messages', picture }];
}
