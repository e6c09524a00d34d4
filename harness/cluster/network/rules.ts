import type { NodeId } from '../../../nemesis/world.ts';

/** Addresses and names inside the hub, by a node's place from 1 on. */
export const address = (place: number): string => `10.99.0.${place}`;
export const namespace = (place: number): string => `n${place}`;

/** One octet, and the hub's own. */
export const nodesMax = 250;

/** Two nodes' places: what goes from one to the other. */
export interface Pair {
  readonly from: number;
  readonly to: number;
}

const element = ({ from, to }: Pair): string => `${address(from)} . ${address(to)}`;
const key = ({ from, to }: Pair): string => `${address(from)} ${address(to)}`;

/** For a shell in the hub's namespaces; `/run` is private to them. */
export function setUpScript(nodes: readonly NodeId[]): string {
  const places = nodes.map((_, at) => at + 1);
  return `
mount -t tmpfs tmpfs /run
ip link set lo up
ip link add br0 type bridge
ip addr add ${address(nodesMax + 1)}/24 dev br0
ip link set br0 up
${places
  .map(
    (place) => `
ip netns add ${namespace(place)}
ip link add v${place} type veth peer name eth0 netns ${namespace(place)}
ip link set v${place} master br0 up
ip -n ${namespace(place)} addr add ${address(place)}/24 dev eth0
ip -n ${namespace(place)} link set eth0 up
ip -n ${namespace(place)} link set lo up`,
  )
  .join('')}
nft -f - <<'RULES'
table bridge splitbrain {
  set cut { type ipv4_addr . ipv4_addr; counter; }
  set lossy { type ipv4_addr . ipv4_addr; counter; }
  set pairs {
    type ipv4_addr . ipv4_addr; counter;
    ${elements(places.flatMap((from) => places.filter((to) => to !== from).map((to) => ({ from, to }))))}
  }
  chain forward {
    type filter hook forward priority 0;
    ip saddr . ip daddr @cut drop
    jump loss
    ip saddr . ip daddr @pairs accept
  }
  chain loss { }
}
RULES`;
}

function elements(pairs: readonly Pair[]): string {
  return pairs.length === 0 ? '' : `elements = { ${pairs.map(element).join(', ')} }`;
}

/** Cuts exactly these pairs, in one transaction of the kernel's. */
export function cutRules(pairs: readonly Pair[]): string {
  return `flush set bridge splitbrain cut\n${added('cut', pairs)}`;
}

/** Loses that many of a hundred packets of exactly these pairs. */
export function lossRules(pairs: readonly Pair[], lossPercent: number): string {
  const rule = `numgen random mod 100 < ${lossPercent} ip saddr . ip daddr @lossy drop`;
  return `flush chain bridge splitbrain loss
flush set bridge splitbrain lossy
${added('lossy', pairs)}${pairs.length === 0 ? '' : `add rule bridge splitbrain loss ${rule}\n`}`;
}

/** Less than any rate here carries in a moment, and more than any packet: what a bucket lets through at once. */
const burstBytes = 3000;
/** As much as a bucket carries in so long may wait for it; what comes then is dropped. */
const waitingMs = 2000;

/** For a shell: what goes out of that interface from now on is no more than that; 0: as much as there is. */
export function rateCommand(device: string, bytesPerS: number): string {
  if (bytesPerS === 0) return `tc qdisc del dev ${device} root`;
  return `tc qdisc replace dev ${device} root tbf rate ${bytesPerS * 8}bit burst ${burstBytes} latency ${waitingMs}ms`;
}

/** How often the kernel made something wait for its turn, by what `tc -s qdisc show` prints; undefined: no bucket there. */
export function heldBack(text: string): number | undefined {
  const count = /^qdisc tbf .*\n.*overlimits (\d+)/m.exec(text)?.[1];
  return count === undefined ? undefined : Number(count);
}

function added(set: string, pairs: readonly Pair[]): string {
  return pairs.length === 0 ? '' : `add element bridge splitbrain ${set} { ${pairs.map(element).join(', ')} }\n`;
}

/** The kernel's counts, by set and pair; a pair that is not in a set has none. */
export class PacketCounts {
  readonly #bySet: ReadonlyMap<string, ReadonlyMap<string, number>>;

  /** @param text what `nft list sets` prints */
  constructor(text: string) {
    const bySet = new Map<string, Map<string, number>>();
    let counts = new Map<string, number>();
    for (const [, set, from, to, packets] of text.matchAll(
      /set (\w+) \{|([\d.]+) \. ([\d.]+) counter packets (\d+)/g,
    )) {
      if (set === undefined) counts.set(`${from} ${to}`, Number(packets));
      else {
        counts = new Map();
        bySet.set(set, counts);
      }
    }
    this.#bySet = bySet;
  }

  dropped(pair: Pair): number {
    return this.#of('cut', pair);
  }

  passed(pair: Pair): number {
    return this.#of('pairs', pair);
  }

  lost(pair: Pair): number {
    return this.#of('lossy', pair);
  }

  #of(set: string, pair: Pair): number {
    return this.#bySet.get(set)?.get(key(pair)) ?? 0;
  }
}
