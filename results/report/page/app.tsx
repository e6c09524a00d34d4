import type { VNode } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Columns, PageData } from '../page-data.ts';
import type { Story } from '../story.ts';
import { About } from './about.tsx';
import { Charts } from './charts.tsx';
import { Faults } from './faults.tsx';
import { Help } from './help.tsx';
import { StoryCard } from './stories.tsx';
import { applyScheme, nextScheme, type Scheme } from './theme.ts';
import { Timeline } from './timeline.tsx';
import { TimelineTable } from './timeline-table.tsx';
import { Verdict } from './verdict.tsx';
import type { View } from './view.ts';

interface AppProps {
  readonly page: PageData;
  readonly columns: Columns;
  readonly view: View;
}

/** The page, in the order in which one asks: did it hold, what broke, how it looked, what was done to it, how to see it again. */
export function App({ page, columns, view }: AppProps): VNode {
  const [state, setState] = useState(view.state);
  const [helping, setHelping] = useState(false);
  const [closed, setClosed] = useState(false);
  const [scheme, setScheme] = useState<Scheme>('auto');
  const search = useRef<HTMLInputElement>(null);
  const timeline = useRef<HTMLElement>(null);
  const { stories } = page;

  useEffect(() => view.onChange(() => setState(view.state)), [view]);

  const open = (anomaly: number): void => {
    setClosed(false);
    view.set({ anomaly });
  };
  const showStory = (story: Story): void => {
    if (story.from === undefined || story.to === undefined) return;
    const margin = Math.max((story.to - story.from) / 1e9 / 4, 0.005);
    view.show(story.from / 1e9 - margin, story.to / 1e9 + margin);
    const first = story.marked[0] ?? story.operations[0];
    if (first !== undefined) view.set({ pinned: first, search: '' });
    timeline.current?.scrollIntoView({ block: 'start' });
  };
  const showOperation = (invoke: number): void => {
    const at = columns.invoke.indexOf(invoke);
    view.set({ pinned: invoke, search: '' });
    if (at >= 0) {
      const time = ((columns.start[at] ?? 0) * page.unitNs) / 1e9;
      if (time < view.state.from || time > view.state.to) view.show(time - 0.05, time + 0.05);
    }
    timeline.current?.scrollIntoView({ block: 'start' });
  };

  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const target = event.target;
      const typing = target instanceof HTMLInputElement || target instanceof HTMLSelectElement;
      if (event.key === 'Escape') {
        setHelping(false);
        if (typing) target.blur();
        return;
      }
      if (typing) return;
      const actions: { readonly [key: string]: () => void } = {
        n: () => open(closed ? view.state.anomaly : Math.min(stories.length - 1, view.state.anomaly + 1)),
        p: () => open(Math.max(0, view.state.anomaly - 1)),
        w: () => view.zoom(0.7),
        s: () => view.zoom(1 / 0.7),
        a: () => view.pan(-0.2),
        d: () => view.pan(0.2),
        0: () => view.show(0, view.endSeconds),
        '/': () => search.current?.focus(),
        '?': () => setHelping(true),
      };
      const action = actions[event.key];
      if (action === undefined) return;
      event.preventDefault();
      action();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  });

  // What does not depend on the stretch in sight is not made again with each step of the view; charts follow by themselves.
  const charts = useMemo(() => <Charts page={page} columns={columns} view={view} />, [page, columns, view]);
  const verdict = useMemo(() => <Verdict page={page} />, [page]);
  const rest = useMemo(
    () => (
      <>
        {page.faults.length > 0 && <Faults page={page} view={view} />}
        <About page={page} />
      </>
    ),
    [page, view],
  );
  const cards = useMemo(
    () =>
      stories.map((story, at) => (
        <StoryCard
          key={at}
          story={story}
          at={at}
          count={stories.length}
          open={!closed && at === state.anomaly}
          onOpen={() => (at === state.anomaly && !closed ? setClosed(true) : open(at))}
          onShow={showStory}
          onOperation={showOperation}
        />
      )),
    [stories, closed, state.anomaly],
  );

  return (
    <>
      <header class="bar">
        <span class="brand">splitbrain</span>
        <span
          class={`pill ${page.results.valid === false ? 'bad' : page.results.valid === true ? 'valid' : 'unknown'}`}
        >
          {page.results.valid === false ? '✕ violation' : page.results.valid === true ? '✓ valid' : '? unknown'}
        </span>
        <nav aria-label="sections">
          {stories.length > 0 && <JumpTo part="anomalies" name="Anomalies" />}
          <JumpTo part="timeline" name="Timeline" />
          <JumpTo part="performance" name="Latency" />
          {page.faults.length > 0 && <JumpTo part="faults" name="Faults" />}
          <JumpTo part="about" name="This run" />
        </nav>
        <span class="grow" />
        {stories.length > 1 && (
          <span class="steps">
            <button
              type="button"
              onClick={() => open(Math.max(0, state.anomaly - 1))}
              aria-label="previous anomaly (p)"
              title="previous anomaly (p)"
            >
              ←
            </button>
            <span>
              {Math.min(state.anomaly + 1, stories.length)} / {stories.length}
            </span>
            <button
              type="button"
              onClick={() => open(Math.min(stories.length - 1, state.anomaly + 1))}
              aria-label="next anomaly (n)"
              title="next anomaly (n)"
            >
              →
            </button>
          </span>
        )}
        <button
          type="button"
          onClick={() => {
            const next = nextScheme(scheme);
            setScheme(next);
            applyScheme(next);
          }}
          title="light, dark, or as the system says"
        >
          {scheme === 'auto' ? '◐ auto' : scheme === 'light' ? '○ light' : '● dark'}
        </button>
        <button type="button" onClick={() => setHelping(true)} title="keys (?)">
          ? keys
        </button>
      </header>
      <main>
        {verdict}
        {stories.length > 0 && (
          <section id="anomalies" aria-labelledby="anomalies-title">
            <h2 id="anomalies-title">{stories.length === 1 ? 'The anomaly' : `${stories.length} anomalies`}</h2>
            {cards}
          </section>
        )}
        <section id="timeline" ref={timeline} aria-labelledby="timeline-title">
          <h2 id="timeline-title">Timeline</h2>
          <div class="tools">
            <label>
              lanes by{' '}
              <select value={state.group} onChange={(event) => view.set({ group: groupOf(event.currentTarget.value) })}>
                <option value="key">key</option>
                <option value="process">process</option>
                <option value="node">node</option>
              </select>
            </label>
            <label>
              find{' '}
              <input
                ref={search}
                type="search"
                placeholder="key, value, error …  ( / )"
                value={state.search}
                onInput={(event) => view.set({ search: event.currentTarget.value })}
              />
            </label>
            <span class="grow" />
            <button type="button" onClick={() => view.zoom(0.5)} title="look closer (w)">
              closer
            </button>
            <button type="button" onClick={() => view.zoom(2)} title="look from further away (s)">
              further
            </button>
            <button type="button" onClick={() => view.pan(-0.4)} title="earlier (a)">
              ←
            </button>
            <button type="button" onClick={() => view.pan(0.4)} title="later (d)">
              →
            </button>
            <button type="button" onClick={() => view.show(0, view.endSeconds)} title="the whole run (0)">
              whole run
            </button>
          </div>
          <p class="legend">
            <span class="key ok">▭ ok</span> <span class="key fail">┄ ✗ failed: did not happen</span>{' '}
            <span class="key info">? unknown: may happen until the end of the run</span>
            {stories.length > 0 && <span class="key bad">▬ part of an anomaly</span>}
          </p>
          {!page.timed && (
            <p class="quiet">
              The history has no times: the axis counts its events, and only their order means something.
            </p>
          )}
          <Timeline page={page} columns={columns} view={view} state={state} />
          <TimelineTable page={page} columns={columns} state={state} />
        </section>
        <section id="performance" aria-labelledby="performance-title">
          <h2 id="performance-title">Latency and rate</h2>
          {page.timed ? charts : <p>The history has no times: nothing can be said of latency and rate.</p>}
        </section>
        {rest}
      </main>
      {helping && <Help onClose={() => setHelping(false)} />}
    </>
  );
}

/** A button, not a link: the hash holds the view, and jumping to a part of the page must not overwrite it. */
function JumpTo({ part, name }: { part: string; name: string }): VNode {
  const jump = (): void => {
    const target = document.getElementById(part);
    const heading = target?.querySelector('h2');
    target?.scrollIntoView({ block: 'start' });
    heading?.setAttribute('tabindex', '-1');
    heading?.focus({ preventScroll: true });
  };
  return (
    <button type="button" onClick={jump}>
      {name}
    </button>
  );
}

function groupOf(value: string): 'key' | 'process' | 'node' {
  return value === 'process' || value === 'node' ? value : 'key';
}
