// Package static keeps as many nodes in a NodePool as its spec.replicas says, whatever pods
// need. Which nodes go first when there are too many, and which make place for others
// because they have drifted, is decided in a pure function.
package static
