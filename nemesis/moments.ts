import { oneOf, type Random } from './choice.ts';
import { anotherLeader } from './election.ts';
import { attempt, type Chosen, type FaultKind, type NodeEffect, onEach, power, settingOf } from './fault-kind.ts';
import { around, fallBehind } from './lag.ts';
import { allVote } from './membership.ts';
import { links, majoritySize, someNodes, without } from './node-targets.ts';
import { react, stepAt } from './reaction.ts';
import type { Act, Link, Moment, NodeId, Reaction, ReactionStep, Scene, World } from './world.ts';

const stepsMax = 3;
/** Gone before anybody hears of it. */
const elected: ReactionStep = { moment: 'elected', afterMs: 0, hits: 'node', act: 'cut' };

/** Moments of one leader's coming and going. */
const ofLeaders = ['elected', 'first-append', 'old-append', 'committed'] as const;
const ofSnapshots = ['snapshot-taken', 'snapshot-sent', 'snapshot-received'] as const;

type Hits = ReactionStep['hits'];
const sides: readonly [Hits, ...Hits[]] = ['node', 'node', 'peer', 'both'];
const groups: readonly [Hits, ...Hits[]] = ['node', 'node', 'peer', 'both', 'others', 'all'];
/** What may be done, and to whom. Whoever loses its links is one side of a cut. */
const acts: readonly [Done, ...Done[]] = [
  { act: 'cut', hits: sides },
  { act: 'silence', hits: sides },
  { act: 'deafen', hits: sides },
  { act: 'pause', hits: groups },
  { act: 'kill', hits: groups },
  { act: 'power-loss', hits: groups },
];
interface Done {
  readonly act: Act;
  readonly hits: readonly [Hits, ...Hits[]];
}

/**
 * Short stories: at a moment in the protocol something is done to whoever has a part in it, and at another moment
 * something else, a random little while after each. Rare bugs live in what follows on each other within an election
 * timeout, which faults that come by the clock seldom do.
 */
export const moments: FaultKind = {
  domain: 'links',
  variants: {
    leaders: story(ofLeaders, ['leader-cut', 'leader-killed']),
    /** What a leader has just told its clients, and nobody else knows for sure. */
    commits: story(['committed'], ['nothing', 'leader-cut']),
    snapshots: story(ofSnapshots, ['lag']),
    members: story(['configuration-entered'], ['members']),
    'figure-8': figure8(2),
    'figure-8-with-more': figure8(3),
  },
  async start(world, chosen) {
    const { reaction } = settingOf(chosen, 'reaction');
    const story = new Story(world);
    const effects = await react(
      world,
      reaction,
      () => story.begin(reaction.scene ?? 'nothing', chosen.nodes),
      (nodes, { act = 'cut' }) => story.turn({ act, nodes }),
    );
    if (reaction.untilElected === true) await anotherLeader(world, story.hit);
    return effects;
  },
  end: async (world, chosen) => [
    await attempt(() => world.cut([])),
    ...(await onEach(world.nodes, (node) => world.resume(node))),
    ...(await onEach(world.nodes, (node) => world.start(node))),
    ...(settingOf(chosen, 'reaction').reaction.scene === 'members' ? await allVote(world, []) : []),
  ],
};

/** The first moment is one that the scene brings about; those that follow are whatever a leader goes through. */
function story(
  firsts: readonly [Moment, ...Moment[]],
  scenes: readonly [Scene, ...Scene[]],
): FaultKind['variants'][string] {
  return ({ nodes, random }) => {
    if (nodes.length < 3) return undefined;
    const steps: ReactionStep[] = [step(oneOf(firsts, random), random)];
    for (let more = random(stepsMax); more > 0 && leavesMajority(steps.at(-1)!); more--) {
      steps.push(step(oneOf(ofLeaders, random), random));
    }
    const reaction = { steps, scene: oneOf(scenes, random), ...(random(2) === 0 && { untilElected: true as const }) };
    // Who falls behind, or who is to vote.
    const hit =
      reaction.scene === 'members' ? someNodes(nodes, majoritySize(nodes.length), random) : someNodes(nodes, 1, random);
    return told(hit, reaction);
  };
}

/**
 * The Raft paper's figure 8: leaders that are gone before anybody got their entries, so that logs end in different terms;
 * then one that is gone when its old entry is on most nodes, and its new one on none.
 * @param gone how many new leaders are cut off before anybody hears of them
 */
function figure8(gone: number): FaultKind['variants'][string] {
  return ({ nodes }) => {
    if (nodes.length < 3) return undefined;
    // It still hears that they have it.
    const last: ReactionStep = { moment: 'old-append', afterMs: 0, hits: 'node', act: 'silence' };
    const steps = [...Array.from({ length: gone }, () => elected), last];
    return told(nodes, { steps, scene: 'leader-cut', untilElected: true });
  };
}

function step(moment: Moment, random: Random): ReactionStep {
  const { act, hits } = oneOf(acts, random);
  return stepAt(moment, random, { act, hits: oneOf(hits, random) });
}

/** Of nodes that do not run none comes to another moment. */
function leavesMajority({ hits }: ReactionStep): boolean {
  return hits !== 'others' && hits !== 'all';
}

function told(nodes: readonly NodeId[], reaction: Reaction): Chosen {
  return { nodes, setting: { type: 'reaction', reaction } };
}

interface Turn {
  readonly act: Act;
  readonly nodes: readonly NodeId[];
}

/** What is on at a time: each turn takes the place of the one before. */
class Story {
  readonly #world: World;
  #on: Turn | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  /** Whom the last turn hit. */
  get hit(): readonly NodeId[] {
    return this.#on?.nodes ?? [];
  }

  async begin(scene: Scene, nodes: readonly NodeId[]): Promise<readonly NodeEffect[]> {
    const world = this.#world;
    if (scene === 'nothing') return [];
    if (scene === 'lag') return fallBehind(world, nodes[0]!);
    if (scene === 'members') return [await attempt(async () => power(world, 'setVoters')(nodes))];
    const led = await world.primaries();
    return this.turn({ act: scene === 'leader-cut' ? 'cut' : 'kill', nodes: led });
  }

  async turn(now: Turn): Promise<readonly NodeEffect[]> {
    const before = this.#on;
    this.#on = now;
    // Both at once: a cut takes the place of a cut, and whoever is back meets who is gone.
    const both = [this.#do(now), ...(before === undefined ? [] : [this.#undo(before, now)])];
    return (await Promise.all(both)).flat();
  }

  async #do({ act, nodes }: Turn): Promise<readonly NodeEffect[]> {
    const world = this.#world;
    if (act === 'kill') return onEach(nodes, (node) => world.kill(node));
    if (act === 'power-loss') return onEach(nodes, async (node) => power(world, 'losePower')(node));
    if (act === 'pause') return onEach(nodes, (node) => world.pause(node));
    return [await attempt(() => world.cut(cutOf(world, act, nodes)))];
  }

  async #undo(before: Turn, now: Turn): Promise<readonly NodeEffect[]> {
    const world = this.#world;
    const does = doing(before.act);
    const over = does === doing(now.act) ? without(before.nodes, now.nodes) : before.nodes;
    if (does === 'end') return onEach(over, (node) => world.start(node));
    if (does === 'stop') return onEach(over, (node) => world.resume(node));
    return doing(now.act) === 'cut' ? [] : [await attempt(() => world.cut([]))];
  }
}

function doing(act: Act): 'end' | 'stop' | 'cut' {
  if (act === 'kill' || act === 'power-loss') return 'end';
  return act === 'pause' ? 'stop' : 'cut';
}

function cutOf(world: World, act: Act, side: readonly NodeId[]): readonly Link[] {
  const others = without(world.nodes, side);
  if (act === 'silence') return links(side, others);
  return act === 'deafen' ? links(others, side) : around(world, side);
}
