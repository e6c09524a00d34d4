import type { VNode } from 'preact';

/** Files that lie beside the report. */
export function Links({ paths }: { paths: readonly string[] }): VNode {
  return (
    <ul class="files">
      {paths.map((path) => (
        <li key={path}>
          <a href={path.split('/').map(encodeURIComponent).join('/')}>{path}</a>
        </li>
      ))}
    </ul>
  );
}
