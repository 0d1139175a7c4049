// What is known of the cluster, and how changes are laid over it. Page and worker share this.

export const empty = () => ({ at: null, heard: 0, parts: {}, nodes: new Map(), ready: false });

export function apply(model, change) {
  if (change.whole) {
    model.nodes = new Map();
    model.parts = {};
  }
  Object.assign(model.parts, change.parts || {});
  for (const [key, node] of Object.entries(change.nodes || {})) model.nodes.set(key, node);
  for (const key of change.gone || []) model.nodes.delete(key);
  model.at = change.at;
  model.ready = true;
}

// whole is a change that brings somebody who knows nothing up to date.
export const whole = (model) => ({ whole: true, at: model.at, parts: model.parts, nodes: Object.fromEntries(model.nodes) });
