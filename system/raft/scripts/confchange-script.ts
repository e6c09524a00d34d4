import { type Changed, changeSimply, enterJoint, leaveJoint, type Unfit } from '../confchange/changer.ts';
import { checkConfig, describeConfig } from '../confchange/config.ts';
import { progressStatus } from '../status.ts';
import { Tracker } from '../tracker/tracker.ts';
import { parseChanges } from './changes.ts';
import type { Directive } from './datadriven.ts';
import { describeProgress } from './describe.ts';

/** `simple`, `enter-joint [autoleave=true]` and `leave-joint` on a configuration that starts empty. */
export class ConfChangeScript {
  readonly #tracker = new Tracker({ maxInflightMsgs: 10, maxInflightBytes: Number.MAX_SAFE_INTEGER });
  /** Counts directives: the log index at which each of them happens. */
  #lastIndex = 0;

  run({ command, args, input }: Directive): string {
    const changes = parseChanges(input);
    const { config } = this.#tracker;
    let changed: Changed | Unfit;
    if (command === 'simple') changed = changeSimply(config, changes);
    else if (command === 'enter-joint') {
      const autoLeave = args.some((arg) => arg.key === 'autoleave' && arg.values[0] === 'true');
      changed = enterJoint(config, autoLeave, changes);
    } else if (command === 'leave-joint') {
      changed = changes.length > 0 ? { unfit: 'this command takes no input' } : leaveJoint(config);
    } else return 'unknown command';
    const lastIndex = this.#lastIndex++;
    if ('unfit' in changed) return changed.unfit;
    checkConfig(changed.config);
    this.#tracker.switchTo(changed.config, lastIndex, changed.renewed);
    const progress = this.#tracker.members.map((member) => describeProgress(progressStatus(this.#tracker, member)));
    return `${describeConfig(changed.config)}\n${progress.join('')}`;
  }
}
