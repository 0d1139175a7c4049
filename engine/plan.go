package engine

import "github.com/dovetail-sh/dovetail/engine/shape"

// Plan decides which pods go on which nodes and which nodes to open.
func Plan(s shape.Snapshot, p Policy) Decision {
	return Decision{}
}
