import { etcd } from './etcd/etcd.ts';
import { kvstore } from './kvstore.ts';
import { maelstrom } from './maelstrom/maelstrom.ts';
import { memory } from './memory.ts';
import { postgres } from './postgres/postgres.ts';
import { redis } from './redis/redis.ts';
import type { Target } from './target.ts';

/** Every target, by the name that `--target` takes. */
export const targets: ReadonlyMap<string, Target> = new Map(
  [kvstore, etcd, redis, postgres, maelstrom, memory].map((target) => [target.name, target]),
);
