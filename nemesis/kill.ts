import { anotherLeader, electionMaxMs } from './election.ts';
import { attempt, type Chosen, type FaultKind, type NodeEffect, onEach, power, type Situation } from './fault-kind.ts';
import { around, fallBehind } from './lag.ts';
import { nodeTargets, someNodes, without } from './node-targets.ts';
import { isOfSnapshot, react, stepAt } from './reaction.ts';
import type { Effect, Moment, NodeId, Reaction, ReactionStep, World } from './world.ts';

const { one, minority, majority, all, primaries } = nodeTargets;

/** Processes that end at once, with whatever was not yet durable, and are started again. */
export const kill: FaultKind = ending((world, node) => world.kill(node));

/** Machines that lose power: as a kill, and what was not synced is gone. */
export const powerLoss: FaultKind = ending(async (world, node) => power(world, 'losePower')(node));

type End = (world: World, node: NodeId) => Promise<Effect>;

function ending(end: End): FaultKind {
  return {
    domain: 'life',
    variants: {
      one: one!,
      minority: minority!,
      majority: majority!,
      all: all!,
      primaries: primaries!,
      /**
       * All that voted for a new leader, the moment it is elected and before it could say anything: if a vote was only
       * in memory it is gone now, and nothing in any log tells of the term (hashicorp/raft#661).
       */
      'voters-of-new-leader': ({ nodes }) =>
        nodes.length < 3 ? undefined : { nodes, ...reaction([{ moment: 'elected', afterMs: 0, hits: 'others' }]) },
      /** What a leader has just told its clients must be on disks by then, not only in the memory of many. */
      'all-at-commit': (situation) => atCommit(situation, 'all'),
      'followers-at-commit': (situation) => atCommit(situation, 'others'),
      /** Again and again; each is back when the next one goes. */
      'new-leaders': (situation) => atElections(situation, 'elected'),
      'first-appends': (situation) => atElections(situation, 'first-append'),
      'taking-snapshot': (situation) => atSnapshot(situation, 'snapshot-taken', 'node'),
      'sending-snapshot': (situation) => atSnapshot(situation, 'snapshot-sent', 'node'),
      'ends-of-snapshot': (situation) => atSnapshot(situation, 'snapshot-sent', 'both'),
      'receiving-snapshot': (situation) => atSnapshot(situation, 'snapshot-received', 'node'),
    },
    async start(world, chosen) {
      const { nodes, setting } = chosen;
      if (setting?.type !== 'reaction') return onEach(nodes, (node) => end(world, node));
      if (setting.reaction.steps.some(({ moment, hits }) => moment === 'elected' && hits === 'others')) {
        return endVoters(world, end);
      }
      return endAtMoments(world, chosen, setting.reaction, end);
    },
    async end(world, { nodes, setting }) {
      if (setting?.type !== 'reaction') return onEach(nodes, (node) => world.start(node));
      return [await attempt(() => world.cut([])), ...(await onEach(world.nodes, (node) => world.start(node)))];
    },
  };
}

function reaction(steps: readonly ReactionStep[]): Pick<Chosen, 'setting'> {
  return { setting: { type: 'reaction', reaction: { steps } } };
}

const timesMax = 4;

function atElections({ nodes, random }: Situation, moment: Moment): Chosen | undefined {
  if (nodes.length < 3) return undefined;
  return { nodes, ...reaction(Array.from({ length: 1 + random(timesMax) }, () => stepAt(moment, random))) };
}

function atCommit({ nodes, random }: Situation, hits: ReactionStep['hits']): Chosen | undefined {
  if (nodes.length < 3) return undefined;
  return { nodes, ...reaction([stepAt('committed', random, { hits })]) };
}

/** The node is the one that falls behind, so that there is a snapshot to be sent. */
function atSnapshot({ nodes, random }: Situation, moment: Moment, hits: ReactionStep['hits']): Chosen | undefined {
  if (nodes.length < 3) return undefined;
  return { nodes: someNodes(nodes, 1, random), ...reaction([stepAt(moment, random, { hits })]) };
}

async function endAtMoments(world: World, { nodes }: Chosen, reaction: Reaction, end: End) {
  let down: readonly NodeId[] = [];
  const endThese = async (these: readonly NodeId[]): Promise<readonly NodeEffect[]> => {
    const before = without(down, these);
    down = these;
    const ended = onEach(these, (node) => end(world, node));
    return [...(await ended), ...(await onEach(before, (node) => world.start(node)))];
  };
  const begin = async () => {
    if (isOfSnapshot(reaction)) return fallBehind(world, nodes[0]!);
    // Commits come by themselves, elections when there is reason.
    return reaction.steps[0]?.moment === 'committed' ? [] : endThese(await world.primaries());
  };
  return react(world, reaction, begin, endThese);
}

async function endVoters(world: World, end: End): Promise<readonly NodeEffect[]> {
  const next = power(world, 'next')('elected', electionMaxMs);
  const led = await world.primaries();
  const effects = [...(await onEach(led, (node) => end(world, node)))];
  const elected = await next;
  if (elected === undefined) return effects;
  const leader = elected.node;
  const cut = attempt(() => world.cut(around(world, [leader])));
  const voters = without(world.nodes, [leader]);
  effects.push(...(await onEach(without(voters, led), (node) => end(world, node))));
  // Started while the new leader is still cut off: they may elect another, and it must be in a later term.
  effects.push(...(await onEach(voters, (node) => world.start(node))), await cut);
  await anotherLeader(world, [leader]);
  return effects;
}
