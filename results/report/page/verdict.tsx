import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { PageData } from '../page-data.ts';

const words = {
  true: { title: 'Valid', shape: '✓', look: 'valid' },
  false: { title: 'Violation', shape: '✕', look: 'bad' },
  unknown: { title: 'Unknown', shape: '?', look: 'unknown' },
} as const;

/** What a reader must know first: whether it held, one sentence, a line a checker, and what was not looked at. */
export function Verdict({ page }: { page: PageData }): VNode {
  const { test, results, counts } = page;
  const { title, shape, look } = words[`${results.valid}`];
  const seconds = page.endNs / 1e9;
  const fact = (value: string | number, name: string): VNode => (
    <div class="fact">
      <b>{typeof value === 'number' ? value.toLocaleString('en') : value}</b>
      <span>{name}</span>
    </div>
  );
  return (
    <section class={`verdict ${look}`} aria-labelledby="verdict-title">
      <div class="banner">
        <span class="sign" aria-hidden="true">
          {shape}
        </span>
        <div>
          <h1 id="verdict-title">{title}</h1>
          <p class="headline">{page.headline}</p>
          <p class="quiet">{subtitle(page)}</p>
          {typeof test.options.mutant === 'string' && (
            <p class="planted">
              ⚑ This run had the planted bug <b>{test.options.mutant}</b>: a violation is what it is for.
            </p>
          )}
        </div>
      </div>
      <div class="facts">
        {fact(counts.operations, 'operations')}
        {fact(counts.ok, 'ok')}
        {fact(counts.fail, 'failed')}
        {fact(counts.info, 'outcome unknown')}
        {page.keys > 0 && fact(page.keys, page.keys === 1 ? 'key' : 'keys')}
        {page.nodes.length > 0 && fact(page.nodes.length, 'nodes')}
        {test.world !== 'history' && fact(page.faults.length, page.faults.length === 1 ? 'fault' : 'faults')}
        {page.timed && fact(`${seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(0)} s`, 'long')}
      </div>
      <div class="columns">
        <div>
          <h2>What was checked</h2>
          <ul class="checks">
            {results.sections.map((section) => {
              const { shape: sign, look: kind, title: word } = words[`${section.valid}`];
              return (
                <li key={section.name}>
                  <span class={`shape ${kind}`} role="img" aria-label={word}>
                    {sign}
                  </span>
                  <div>
                    <b>{section.name}</b> {section.summary}
                    {section.reason !== undefined && section.reason !== section.summary && (
                      <div class="reason">{section.reason}</div>
                    )}
                    {section.counts.length > 0 && (
                      <div class="quiet small">
                        {section.counts
                          .filter(([, count]) => count !== 0)
                          .map(([name, count]) => `${name} ${count.toLocaleString('en')}`)
                          .join(' · ')}
                      </div>
                    )}
                  </div>
                </li>
              );
            })}
          </ul>
        </div>
        <div>
          {page.commands.length > 0 && (
            <>
              <h2>See it again</h2>
              <dl class="commands">
                {page.commands.map(({ purpose, command }) => (
                  <Command key={purpose} purpose={purpose} command={command} />
                ))}
              </dl>
            </>
          )}
          <h2>What was not checked</h2>
          {page.notChecked.length === 0 ? (
            <p>Nothing is known to have been left out.</p>
          ) : (
            <ul class="unchecked">
              {page.notChecked.map((text) => (
                <li key={text}>{text}</li>
              ))}
            </ul>
          )}
        </div>
      </div>
    </section>
  );
}

function subtitle({ test }: PageData): string {
  if (test.world === 'history') return `${test.name} · a recorded history, judged as ${test.options.model}`;
  const started = `${test.started.replace('T', ' ').replace(/\.\d+Z$|Z$/, '')} UTC`;
  return [test.name, `seed ${test.seed}`, started, test.world === 'real' ? 'real processes' : 'simulated'].join(' · ');
}

/** What a command is for. */
const purposes: { readonly [purpose: string]: string } = {
  again: 'run it again',
  replay: 'run it again with the same faults',
  shrink: 'make it smaller',
  check: 'judge it again, from its folder alone',
};

function Command({ purpose, command }: { purpose: string; command: string }): VNode {
  const [copied, setCopied] = useState('copy');
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(command);
      setCopied('copied');
    } catch {
      // A page from disk may not have the clipboard: mark the text, so that one key copies it.
      setCopied('press Ctrl-C');
      const code = document.getElementById(`command-${purpose}`);
      if (code !== null) getSelection()?.selectAllChildren(code);
    }
    setTimeout(() => setCopied('copy'), 2000);
  };
  return (
    <>
      <dt>{purposes[purpose] ?? purpose}</dt>
      <dd>
        <code id={`command-${purpose}`}>{command}</code>
        <button type="button" onClick={copy} aria-label={`copy the command: ${purpose}`} aria-live="polite">
          {copied}
        </button>
      </dd>
    </>
  );
}
