import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Block, Story } from '../story.ts';
import { Drawing } from './drawing.tsx';

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

interface TableProps {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly marked?: readonly number[];
  /** Makes each row's last cell a button that shows the row's operation. */
  readonly onRow?: (row: number) => void;
}

export function Table({ columns, rows, marked = [], onRow }: TableProps): VNode {
  return (
    <section class="scroll" tabIndex={0} aria-label={`table: ${columns.filter((name) => name !== '').join(', ')}`}>
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column === '' ? <span class="unseen">mark</span> : column}
              </th>
            ))}
            {onRow !== undefined && (
              <th scope="col">
                <span class="unseen">show</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i} class={marked.includes(i) ? 'marked' : ''}>
              {row.map((cell, column) => (
                <td key={column} class={cell.length <= 20 ? 'short' : ''}>
                  {cell}
                </td>
              ))}
              {onRow !== undefined && (
                <td>
                  <button
                    type="button"
                    class="plain"
                    onClick={() => onRow(i)}
                    aria-label={`show row ${i + 1} in the timeline`}
                  >
                    show
                  </button>
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
