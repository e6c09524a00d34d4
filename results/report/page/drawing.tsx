import { h, type VNode } from 'preact';
import type { SvgNode } from '../picture/svg.ts';

/** A picture as live elements: its texts are text nodes, whatever they hold. */
export function Drawing({ picture }: { picture: SvgNode }): VNode {
  return <div class="drawing">{element(picture)}</div>;
}

function element(node: SvgNode | string): VNode | string {
  if (typeof node === 'string') return node;
  return h(node.tag, node.attributes, node.children.map(element));
}
