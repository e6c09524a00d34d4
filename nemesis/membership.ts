import { shuffled } from './choice.ts';
import {
  attempt,
  type Chosen,
  type FaultKind,
  type NodeEffect,
  onEach,
  power,
  type Situation,
  settingOf,
} from './fault-kind.ts';
import { links, majoritySize, someNodes, without } from './node-targets.ts';
import { react } from './reaction.ts';
import type { MemberChanges, NodeId, World } from './world.ts';

const none: MemberChanges = { voters: [], atOnce: false, replaced: [] };

/**
 * Members that change while clients write: who votes, one at a time and several in one joint change, and machines that
 * come back empty, as new members. Some of it faster than the store takes it: of two changes at once it must refuse
 * one (the thesis's single-server bug).
 */
export const members: FaultKind = {
  variants: {
    'demote-one': (situation) => changing({ ...none, voters: [without(situation.nodes, some(situation, 1))] }),
    /** A joint change: a bare majority of the nodes votes. */
    'demote-minority': (situation) => changing({ ...none, voters: [bareMajority(situation)] }),
    /** From one set of voters to another that shares few with it. */
    swap: (situation) =>
      changing({ ...none, voters: [bareMajority(situation), bareMajority(situation), bareMajority(situation)] }),
    /** Each wants another node out, all at once. */
    'at-once': atOnce(false),
    /**
     * The same, and the others hear no more of whoever enters the first of them, nor of one that stays with it: if it
     * has taken two at once, the two sides now count by configurations that need not overlap.
     */
    'at-once-then-partition': atOnce(true),
    replace: (situation) => changing({ ...none, replaced: some(situation, 1) }),
  },
  async start(world, chosen) {
    const { replaced, cutWith } = settingOf(chosen, 'members').members;
    if (replaced.length > 0) return onEach(replaced, async (node) => power(world, 'removeMember')(node));
    const change = () => setVoters(world, chosen);
    if (cutWith === undefined) return change();
    const steps = [{ moment: 'configuration-entered', afterMs: 0, hits: 'node' }] as const;
    return react(world, { steps }, change, async (first) => {
      const side = [...new Set([...first, ...cutWith])];
      return [await attempt(() => world.cut(links(side, without(world.nodes, side))))];
    });
  },
  async end(world, chosen) {
    const { replaced } = settingOf(chosen, 'members').members;
    return [await attempt(() => world.cut([])), ...(await allVote(world, replaced))];
  },
};

/** Why a change of voters is moot that changes nothing. */
export const alreadyVote = 'they vote already';

/** How often all are made voters again, while others' changes are still under way. */
const triesMax = 6;
const retryMs = 500;

/**
 * Brings back who was removed, and makes every node a voter. Bounded; what it came to is the last try's.
 * @param removed who may have been
 */
export async function allVote(world: World, removed: readonly NodeId[]): Promise<readonly NodeEffect[]> {
  const back: NodeEffect[] = [];
  for (const node of removed) back.push(...(await onEach([node], async () => power(world, 'addMember')(node))));
  for (let tried = 1; ; tried++) {
    const effect = await attempt(async () => power(world, 'setVoters')(world.nodes));
    const isDone = effect.effect !== 'moot' || effect.proof.reason === alreadyVote;
    if (isDone || tried === triesMax) return [...back, effect];
    await world.sleep(retryMs);
  }
}

/**
 * Sees to it that every node votes, as far as the world can change that. Harm for good to a minority of the nodes leaves
 * a majority of those who vote only then.
 */
export async function everyNodeVotes(world: World): Promise<boolean> {
  if (world.setVoters === undefined) return true;
  const { effect, proof } = (await allVote(world, [])).at(-1)!;
  return effect === 'proven' || proof.reason === alreadyVote;
}

async function setVoters(world: World, chosen: Chosen): Promise<readonly NodeEffect[]> {
  const { voters, atOnce } = settingOf(chosen, 'members').members;
  const set = (these: readonly NodeId[]) => attempt(async () => power(world, 'setVoters')(these));
  if (atOnce) return Promise.all(voters.map(set));
  const effects = [];
  for (const these of voters) effects.push(await set(these));
  return effects;
}

function changing(members: MemberChanges): Chosen | undefined {
  const { voters, replaced } = members;
  const nodes = [...new Set([...voters.flat(), ...replaced])];
  const isTooSmall = nodes.length === 0 || voters.some(({ length }) => length === 0);
  return isTooSmall ? undefined : { nodes, setting: { type: 'members', members } };
}

function atOnce(cut: boolean): FaultKind['variants'][string] {
  return (situation) => {
    const { nodes, primaries } = situation;
    // Not who leads, which is to take them; of three nodes both others.
    const followers = shuffled(without(nodes, primaries), situation.random);
    const out = nodes.length < 3 ? [] : followers.slice(0, 2);
    const voters = out.map((node) => without(nodes, [node]));
    const cutWith = without(followers, out).slice(0, 1);
    return changing({ ...none, voters, atOnce: true, ...(cut && { cutWith }) });
  };
}

function bareMajority(situation: Situation): readonly NodeId[] {
  return some(situation, majoritySize(situation.nodes.length));
}

/** None of a cluster too small to lose one. */
function some({ nodes, random }: Situation, count: number): readonly NodeId[] {
  return nodes.length < 3 ? [] : someNodes(nodes, count, random);
}
