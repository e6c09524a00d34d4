import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

const keys = [
  ['n, p', 'next and previous anomaly'],
  ['w, s', 'look closer, or from further away'],
  ['a, d', 'earlier, later'],
  ['0', 'the whole run'],
  ['/', 'find a key, value or error'],
  ['Tab', 'from control to control; each bar of an anomaly says what it is'],
  ['arrows', 'in the timeline: pan and zoom'],
  ['. and ,', 'in the timeline: the next and the previous operation'],
  ['drag', 'in the timeline: move; in a chart: mark a stretch to see it closer'],
  ['Ctrl + wheel', 'in the timeline: zoom around the pointer'],
  ['Esc', 'close, let go'],
] as const;

export function Help({ onClose }: { onClose: () => void }): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="help-title">
      <h2 id="help-title">Keys</h2>
      <dl class="keys">
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p class="quiet">The address holds the view: copy it to show somebody what you see.</p>
      <button type="button" onClick={() => dialog.current?.close()}>
        close
      </button>
    </dialog>
  );
}
