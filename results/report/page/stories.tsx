import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Block, Story } from '../story.ts';
import { Drawing } from './drawing.tsx';
import { Links } from './links.tsx';
import { Table } from './table.tsx';

interface StoryProps {
  readonly story: Story;
  readonly at: number;
  readonly count: number;
  readonly open: boolean;
  readonly onOpen: () => void;
  readonly onShow: (story: Story) => void;
  readonly onOperation: (invoke: number) => void;
}

/** One anomaly: a line when it is closed, the whole story when it is open. */
export function StoryCard({ story, at, count, open, onOpen, onShow, onOperation }: StoryProps): VNode {
  const heading = useRef<HTMLButtonElement>(null);
  const wasOpen = useRef(open);
  useEffect(() => {
    if (open && !wasOpen.current) heading.current?.focus({ preventScroll: true });
    if (open && !wasOpen.current) heading.current?.scrollIntoView({ block: 'start' });
    wasOpen.current = open;
  }, [open]);
  return (
    <article class={open ? 'story open' : 'story'} aria-labelledby={`anomaly-${at}`}>
      <h3>
        <button type="button" id={`anomaly-${at}`} ref={heading} aria-expanded={open} onClick={onOpen}>
          <span class="shape bad" aria-hidden="true">
            ✕
          </span>
          <span class="kind">{story.kind}</span>
          {story.key !== undefined && <span class="chip">key {story.key}</span>}
          <span class="message">{story.message}</span>
          <span class="count">
            {at + 1} of {count}
          </span>
        </button>
      </h3>
      {open && (
        <div class="body">
          <p class="promise">
            <b>Broken promise</b> {story.promise}
          </p>
          {story.from !== undefined && (
            <p>
              <button type="button" class="plain" onClick={() => onShow(story)}>
                Show it in the timeline
              </button>
            </p>
          )}
          {story.blocks.map((block) => (
            <BlockView key={`${block.type}-${block.title ?? ''}`} block={block} onOperation={onOperation} />
          ))}
        </div>
      )}
    </article>
  );
}

function BlockView({ block, onOperation }: { block: Block; onOperation: (invoke: number) => void }): VNode {
  switch (block.type) {
    case 'text':
      return (
        <section>
          {block.title !== undefined && <h4>{block.title}</h4>}
          <p>{block.text}</p>
        </section>
      );
    case 'lines':
      return (
        <section>
          <h4>{block.title}</h4>
          <pre tabIndex={0}>{block.lines.join('\n')}</pre>
        </section>
      );
    case 'links':
      return (
        <section>
          <h4>{block.title}</h4>
          <Links paths={block.paths} />
        </section>
      );
    case 'picture':
      return (
        <section>
          <h4>{block.title}</h4>
          <Drawing picture={block.picture} />
        </section>
      );
    case 'table':
      return (
        <section>
          <h4>{block.title}</h4>
          <Table
            columns={block.columns}
            rows={block.rows}
            marked={block.marked ?? []}
            {...(block.operations !== undefined && {
              onRow: (row: number) => {
                const invoke = block.operations?.[row];
                if (invoke !== undefined) onOperation(invoke);
              },
            })}
          />
        </section>
      );
  }
}
