import type { VNode } from 'preact';
import { useState } from 'preact/hooks';

interface FoldedProps {
  readonly summary: string;
  /** Called when it is unfolded, and not before: a table of thousands of cells takes its time. */
  readonly children: () => VNode;
}

export function Folded({ summary, children }: FoldedProps): VNode {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{summary}</summary>
      {open && children()}
    </details>
  );
}
