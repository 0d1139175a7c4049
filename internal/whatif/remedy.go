package whatif

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/remedy"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// ForPod is the smallest change that gives a pod of a plan a place; nil for one that has a place, or is not planned.
func ForPod(r *simulate.Result, p engine.Policy, pod string) *view.Remedy {
	id := shape.PodID(pod)
	if !slices.ContainsFunc(r.Decision.Unplaced, func(u engine.Unplaced) bool { return u.Pod == id }) {
		return nil
	}
	found, ok := remedy.Find(r.Snapshot, p, id)
	if !ok {
		return &view.Remedy{
			Kinds:   []string{},
			Changes: []string{},
			None:    "nothing that could be relaxed gives it a place; no NodePool sells what it needs",
		}
	}
	out := &view.Remedy{Then: "it goes on " + found.Goes, Others: found.Others}
	for i := range found.Changes {
		out.Kinds = append(out.Kinds, string(found.Changes[i].Kind))
		out.Changes = append(out.Changes, found.Changes[i].What)
	}
	return out
}

// PodText is ForPod in words; empty for nothing.
func PodText(r *simulate.Result, p engine.Policy, pod string) string {
	if r == nil {
		return ""
	}
	if found := ForPod(r, p, pod); found != nil {
		return found.Text()
	}
	return ""
}
