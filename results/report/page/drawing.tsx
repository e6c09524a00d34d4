import { h, type VNode } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import type { SvgNode } from '../picture/svg.ts';

interface Tip {
  readonly text: string;
  readonly left: number;
  readonly top: number;
}

const tipWidth = 320;

/**
 * A picture as live elements: its texts are text nodes, whatever they hold. A browser shows a shape's title only to the
 * pointer; whoever comes by keyboard gets the same beside the shape that has the focus.
 */
export function Drawing({ picture }: { picture: SvgNode }): VNode {
  const holder = useRef<HTMLDivElement>(null);
  const [tip, setTip] = useState<Tip | undefined>(undefined);
  const shapes = useMemo(() => element(picture), [picture]);
  const onFocus = ({ target }: FocusEvent): void => {
    const text = target instanceof SVGElement ? target.getAttribute('aria-label') : null;
    const around = holder.current?.getBoundingClientRect();
    if (text === null || around === undefined || !(target instanceof SVGElement)) return;
    const box = target.getBoundingClientRect();
    const left = Math.max(0, Math.min(box.left - around.left, around.width - tipWidth));
    setTip({ text, left, top: box.bottom - around.top + 6 });
  };
  return (
    <div class="drawn" ref={holder}>
      <div class="drawing" onFocusIn={onFocus} onFocusOut={() => setTip(undefined)}>
        {shapes}
      </div>
      {tip !== undefined && (
        <div class="tip" aria-hidden="true" style={{ left: `${tip.left}px`, top: `${tip.top}px` }}>
          {tip.text}
        </div>
      )}
    </div>
  );
}

function element(node: SvgNode | string): VNode | string {
  if (typeof node === 'string') return node;
  return h(node.tag, node.attributes, node.children.map(element));
}
